// A parameter that its function changes says nothing of what the caller passed; a name that is a
// package's variable is no local; an unoptimised build leaves nothing out.
//
// builds: debug opt
package main

import "os"

var outside = len(os.Args)

//go:noinline
func made(n int) []int { return append(make([]int, 0, n+8), 1, n) }

//go:noinline
func grow(list []int, kept []int, k int) int {
	list = append(list, k)
	println(len(list))
	return len(list) + len(kept) // stop
	// want: list value="[1 2 7]"
	// want: given frame=main.outer value="[1 2]" live
	// want[opt]: given frame=main.outer optimized_out why~`(it was in|.*keeps).*`
	// want: outside absent
	// want[opt]: outside absent
}

//go:noinline
func outer(n int) int {
	whole := made(n + 1)
	given := made(n)
	return grow(given, whole, 7)
}

//go:noinline
func count(n int) int {
	return n + 1 // stop
	// want: n value=1
	// want: outside absent
	// want[opt]: outside absent
}

func main() {
	println(outer(2) + count(outside))
}
