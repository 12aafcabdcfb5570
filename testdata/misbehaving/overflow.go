// Recurses without end: a stack overflow at the megabyte that it allows itself, exit code 2.
package main

import (
	"fmt"
	"runtime/debug"
)

func down(n int) int {
	var room [64]int
	room[n%64] = n
	return down(n+1) + room[n%64]
}

func main() {
	debug.SetMaxStack(1 << 20)
	fmt.Println("before")
	fmt.Println(down(0))
}
