// A recursion that outgrows its first stack; the address of `here` is watched on the way.
package main

//go:noinline
func down(depth int, here *int) int {
	var pad [64]int
	pad[depth%64] = depth
	if depth == 0 {
		return bottom(here) + pad[0]
	}
	return down(depth-1, here) + pad[depth%64]
}

//go:noinline
func top(here *int) int { return *here }

//go:noinline
func bottom(here *int) int { return *here }

func main() {
	here := 42
	top(&here)
	down(200, &here)
}
