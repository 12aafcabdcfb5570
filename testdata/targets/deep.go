// Goroutines parked far down a recursion, at three depths: only the outer ends of their stacks
// tell them apart.
package main

import (
	"fmt"
	"os"
	"strconv"
)

var never = make(chan int)

//go:noinline
func down(depth int, ready chan<- bool) byte {
	var pad [200]byte
	pad[depth%len(pad)] = 1
	if depth > 0 {
		return down(depth-1, ready) + pad[0]
	}
	ready <- true
	<-never
	return pad[0]
}

func main() {
	depth, _ := strconv.Atoi(os.Args[1])
	ready := make(chan bool)
	for i := 0; i < 6; i++ {
		go down(depth+i%3, ready)
	}
	for i := 0; i < 6; i++ {
		<-ready
	}
	fmt.Println("ready")
	os.Stdin.Read(make([]byte, 1))
}
