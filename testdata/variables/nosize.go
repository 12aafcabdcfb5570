package main

import "fmt"

// A variable of no size that is moved to the heap is described a second time, as if it had a place
// in the frame.

var sink any

//go:noinline
func stop(n int) { fmt.Println("stop", n) }

func main() {
	none := struct{}{}
	set := func() { none = struct{}{} }
	sink = &none
	set()
	stop(1)
	none = struct{}{}
	fmt.Println(none)
}
