// As many goroutines as it is told, each on a channel of its own, with so many different stacks; some
// are lost.
package main

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"strconv"
	"time"
)

const lost = 20

var channels []chan int

//go:noinline
func work(c chan int, deep, number int) int {
	if deep > 0 {
		return work(c, deep-1, number) + deep
	}
	return <-c + number
}

func number(at int) int {
	n, err := strconv.Atoi(os.Args[at])
	if err != nil {
		panic(err)
	}
	return n
}

func main() {
	count, stacks := number(1), number(2)
	channels = make([]chan int, count)
	for i := range channels {
		channels[i] = make(chan int)
		go work(channels[i], i%stacks, i)
	}
	for i := 0; i < lost; i++ {
		go work(make(chan int), 0, i)
	}
	for runtime.NumGoroutine() < count+lost {
		time.Sleep(time.Millisecond)
	}
	time.Sleep(300 * time.Millisecond)
	fmt.Println("ready")
	io.Copy(io.Discard, os.Stdin)
}
