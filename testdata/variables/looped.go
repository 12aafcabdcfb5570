// A loop whose passes leave no trace in registers or on the stack, while the collector asks its
// goroutine to make way: no two of its stops differ, and all the same none repeats another.
package main

import "runtime"

var sum int

func pass(n int) { sum += n }

//go:noinline
func loop() {
	left := make(chan struct{}, 80)
	for i := 0; i < 80; i++ {
		left <- struct{}{}
	}
	close(left)
	for range left {
		pass(1)
	}
}

func main() {
	for k := 0; k < 3; k++ {
		go func() {
			for {
				runtime.GC()
			}
		}()
	}
	loop()
}
