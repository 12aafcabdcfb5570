// A program that destroys its own bookkeeping on request, and works on beside that.
//
// It says `head ADDRESS`, one of many heap objects, and "ready". For each line `ADDRESS VALUE` (hexadecimal) on its standard input it writes the
// 8-byte value to the address and says "written"; the line `check` makes it say
// `check WRONG ROUNDS`: how often its work found memory changed, and how much of it was done. It
// never collects.
package main

import (
	"bufio"
	"fmt"
	"os"
	"runtime/debug"
	"sync/atomic"
	"unsafe"
)

type node struct {
	next *node
	data [10]int
}

var (
	head, oldest  *node
	rounds, wrong atomic.Int64
)

func work() {
	var numbers [256]int
	for round := 0; ; round++ {
		for i := range numbers {
			numbers[i] = round ^ i
		}
		for i := range numbers {
			if numbers[i] != round^i {
				wrong.Add(1)
			}
		}
		rounds.Add(1)
	}
}

func main() {
	debug.SetGCPercent(-1)
	for i := 0; i < 20_000; i++ {
		head = &node{next: head}
		if i == 10_000 {
			oldest = head
		}
	}
	go work()
	for i := 0; i < 100; i++ {
		go func() { select {} }()
	}
	fmt.Printf("head %p\n", oldest)
	fmt.Println("ready")
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		var address, value uintptr
		if n, _ := fmt.Sscanf(lines.Text(), "%x %x", &address, &value); n == 2 {
			*(*uintptr)(unsafe.Pointer(address)) = value
			fmt.Println("written")
		} else {
			fmt.Println("check", wrong.Load(), rounds.Load())
		}
	}
}
