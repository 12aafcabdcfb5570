// Assignments that nothing reads: the compiler gives the other value the variable's name.
package main

//go:noinline
func here() {}

//go:noinline
func f(list int, b []float64, total int) int {
	switch b := any(list).(type) {
	case error:
		println(b)
	default:
		here()
	}
	if total < 12 {
		here()
	} else {
		total = list
	}
	return len(b)
}

func main() { println(f(3, nil, 7), f(4, []float64{1}, 25)) }
