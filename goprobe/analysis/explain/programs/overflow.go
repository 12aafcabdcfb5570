// A recursion without an end, with a limit on the stack that is reached soon.
package main

import "runtime/debug"

//go:noinline
func forever(n int) int { return forever(n+1) + 1 }

func main() {
	debug.SetMaxStack(1 << 20)
	forever(0)
}
