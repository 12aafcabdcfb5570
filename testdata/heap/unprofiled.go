// Command unprofiled allocates all the time, and links nothing that reads a profile of it.
package main

import (
	"fmt"
	"time"
)

type job struct {
	id   int
	body []byte
}

var jobs [64]*job

//go:noinline
func made(i int) *job { return &job{id: i, body: make([]byte, 2000)} }

func main() {
	fmt.Println("ready 1")
	for i := 0; ; i++ {
		jobs[i%len(jobs)] = made(i)
		time.Sleep(200 * time.Microsecond)
	}
}
