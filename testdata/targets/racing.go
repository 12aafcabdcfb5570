// A goroutine under the race detector, which is called at nearly every step, after a deep call of
// C whose traces the goroutine still has.
package main

// static int one(void) { return 1; }
import "C"

import (
	"fmt"
	"sync/atomic"
)

var (
	sink    atomic.Uint64
	numbers [1000]int
)

//go:noinline
func down(n int) int {
	if n == 0 {
		return int(C.one())
	}
	return down(n-1) + 1
}

//go:noinline
func leaf() {
	for {
		sink.Add(1)
		for i := range numbers {
			numbers[i]++
		}
	}
}

func main() {
	go func() {
		down(7)
		leaf()
	}()
	fmt.Println("ready")
	fmt.Scanln()
}
