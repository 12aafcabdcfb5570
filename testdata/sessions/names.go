package main

import "fmt"

// Names that mean one variable by Go's rules, and lie next to others of that name on the stack.

var mode = 3

//go:noinline
func leaf(n int) { fmt.Println(n, mode) }

//go:noinline
func each(do func()) {
	x := 6
	do()
	fmt.Println(x)
}

//go:noinline
func hides(n int) {
	mode := n + 3
	if n > 3 {
		const n = 9
		leaf(n) // hidden by a constant
	}
	x, y := 5, 1
	each(func() {
		leaf(2) // not captured
	})
	x, z := x+1, 2
	leaf(x + y + z + mode) // the same x
}

//go:noinline
func mark() {}

//go:noinline
func literal(n int) int {
	total := n * 2
	return func() int {
		mark()
		return total + 1
	}()
}

//go:noinline
func panics(p, e []int) { // the runtime has variables of these names where it panics
	defer func() { recover() }()
	panic(len(p) + len(e))
}

func main() {
	hides(4)
	literal(4)
	panics([]int{1}, nil)
}
