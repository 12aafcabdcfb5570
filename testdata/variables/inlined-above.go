package main

import "os"

//go:noinline
func stop(n int) { os.Getpid() }

func main() {
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
