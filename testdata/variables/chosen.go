// Loops whose variables are given their next values without a branch, at the loop's head.
package main

//go:noinline
func cp(n int) {}

func pairs(k int) func(yield func(int) bool) {
	return func(yield func(int) bool) {
		for i := 0; i < 1 && yield(k); i++ {
		}
	}
}

var sum int
var kept []int

//go:noinline
func yes() bool { return sum >= 0 }


//go:noinline
func loops() {
	for n := 0; n < 2; n++ {
		cp(1)
		for x := range pairs(1) {
			kept = []int{sum, x, 2}[1:]
			if n > 5 && yes() {
				continue
			}
		}
	}
	for m := 0; m < 32; m += 8 {
		cp(2)
		for x := range pairs(m) {
			sum += x
		}
	}
}

func main() {
	loops()
	println(sum)
}
