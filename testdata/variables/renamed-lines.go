// Lines that a generator gives other numbers, of other files.
package main

import "os"

//go:noinline
func show(values ...int) {
	for _, value := range values {
		print(value, " ")
	}
	println()
}

//line expr.y:40
func parse(n int) int {
//line renamed-lines.go:18
	state := n * 2
	switch {
	case n > 0:
//line expr.y:90
		sum := state + 1
		show(state, sum)
//line expr.y:60
		top := sum * 2
		show(state, sum, top)
//line renamed-lines.go:27
		show(state, sum, top)
		return top
	}
	return state
}

//line renamed-lines.go:35
func main() {
	show(parse(len(os.Args) + 2))
}
