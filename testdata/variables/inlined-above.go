package main

import "os"

type list struct{ n int }

//go:noinline
func stop(n int) { os.Getpid() }

func main() {
	found := list{3}
	above := func(a *uintptr) [0]int16 {
		stop(1)
		var w uint8 = 16
		_ = w
		return [0]int16{}
	}
	_ = above
	{
		found := above(nil)
		_ = found
		again := above(nil)
		_ = again
		stop(2)
	}
	stop(found.n)
}
