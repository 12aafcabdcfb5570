package main

import "fmt"

// What is told of optimised variables by one who has not this file (built with -trimpath).

var sink any

//go:noinline
func stop(n int) { fmt.Println("stop", n) }

//go:noinline
func keep(x any) { sink = x }

// The place of what was passed is kept for y, and bears the name of x, which is a constant by then.
//
//go:noinline
func given(x int, word string) int {
	y := x
	x = 7
	stop(x)
	return y + len(word)
}

// A variable on the heap has at each call what the source gave it last.
//
//go:noinline
func moved() {
	n := 1
	keep(&n)
	n = 2
	stop(1)
	n = 3
	stop(2)
}

// Which n is meant, the source alone says.
//
//go:noinline
func shadowed(n int) int {
	sum := n
	if n > 1 {
		n := n + 1
		keep(&n)
		stop(3)
		sum += n
	}
	stop(4)
	return sum + n
}

func main() {
	fmt.Println(given(5, "five"))
	moved()
	shadowed(5)
}
