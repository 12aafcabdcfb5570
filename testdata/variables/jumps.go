// A goto back over an assignment that nothing reads, which the optimiser leaves out.
package main

//go:noinline
func here(turn int) {}

//go:noinline
func keep(any) {}

//go:noinline
func f(list []float64, count int) {
	keep(list)
	keep(list)
	turn := 0
again:
	here(turn)
	list = []float64{3.5}
	count = 9
	turn++
	if turn < 2 {
		goto again
	}
}

func main() { f([]float64{}, 1) }
