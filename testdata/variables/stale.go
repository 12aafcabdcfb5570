package main

import "fmt"

//go:noinline
func see(n int) { fmt.Println("see", n) }

func main() {
	for i := 0; i < 3; i++ {
		i := i + 5
		see(i)
	}
	for j := 0; j < 2; j++ {
		k := j
		k *= 7
		k += 3
		see(k)
	}
}
