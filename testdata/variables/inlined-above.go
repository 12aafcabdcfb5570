package main

import "os"

//go:noinline
func stop(n int) { os.Getpid() }

type none struct{}

//go:noinline
func three() (int, none, int) {
	stop(3)
	return 1, none{}, 2
}

// deferring is left by a recovered panic, perhaps: its a has no size, and is not there yet while
// its own statement runs.
func deferring(a map[string]int) int {
	sum := len(a)
	if len(os.Args) > 0 {
		n, a, m := three()
		_ = a
		sum += n + m
	}
	defer func() { recover() }()
	return sum
}

func main() {
	deferring(nil)
	above := func(a *int) [0]int16 {
		stop(1)
		var w uint8 = 16
		_ = w
		return [0]int16{}
	}
	_ = above
	nothing := above(nil)
	_ = nothing
	var kept int = len(os.Args)
	_ = kept
	again := above(nil)
	_ = again
	stop(kept)
}
