// Calls of a function while the collector asks its goroutine to make way, again and again.
package main

import "runtime"

var sink []byte

//go:noinline
func work(n int) int {
	var room [256]byte
	room[n&255] = byte(n)
	return int(room[(n+1)&255]) + see(n)
}

//go:noinline
func see(n int) int { return n }

func main() {
	go func() {
		for {
			runtime.GC()
		}
	}()
	total := 0
	for i := 0; i < 60; i++ {
		total += work(i)
		for j := 0; j < 2000; j++ {
			sink = make([]byte, 64)
		}
	}
	println(total)
}
