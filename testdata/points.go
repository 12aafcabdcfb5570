package main

import "fmt"

type point struct{ x, y int }

//goprobe:stack
func sum(n int) int {
	p := &point{n, n} //goprobe:noalloc
	return p.x + p.y
}

//go:noinline
func keep(n int) *point {
	return &point{n, 1} //goprobe:heap
}

func main() {
	msg := "Hello, Go!"
	total := 0
	for i := 0; i < 1000; i++ {
		total += sum(i) + keep(i).y
	}
	fmt.Println(msg, total)
}
