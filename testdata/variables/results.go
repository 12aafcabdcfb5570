// Results of one call whose values get further names later.
package main

//go:noinline
func cp(n int) {}

//go:noinline
func yes() bool { return sum >= 0 }

var sum int
var sink any

//go:noinline
func results(n int) (float64, float64, float64) {
	return float64(n), 7.5, 8.5
}

//go:noinline
func use(n int) {
	k, item, third := results(n)
	if !yes() {
		if !yes() {
			item = k
			third = k
		}
	} else if yes() {
		cp(1)
		for j := 0; j < 1; j++ {
		}
	} else {
		sink = third
	}
	sink = item + k
	cp(2)
}

func main() {
	use(3)
}
