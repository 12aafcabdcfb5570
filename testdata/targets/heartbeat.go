// A program that is easily disturbed: it notices when it stands still.
//
//	heartbeat OBJECTS GOROUTINES WORKERS
//
// It holds OBJECTS live heap objects (linked structs, strings, slices and map entries in turn) and
// parks GOROUTINES goroutines; WORKERS goroutines allocate all the time and check what they wrote.
// A thread of its own looks at the clock every millisecond. It prints "ready"; then for each line on
// its stdin one line `gap NANOSECONDS`, the longest time between two looks since the last line
// (minus the millisecond), and at the end of its stdin `sum N`, the number of rounds that its workers
// did, or `wrong` if any found its memory changed.
package main

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"sync/atomic"
	"time"
)

type node struct {
	next  *node
	label string
	data  []int
	index map[int]*node
}

var (
	head    *node
	longest atomic.Int64
	rounds  atomic.Int64
	wrong   atomic.Bool
	block   = make(chan int)
)

func number(i int) int {
	n, err := strconv.Atoi(os.Args[i])
	if err != nil {
		panic(err)
	}
	return n
}

func fill(objects int) {
	for made := 0; made < objects; {
		n := &node{next: head}
		head, made = n, made+1
		switch made % 4 {
		case 0:
			n.label = strconv.Itoa(made) + " is a label"
			made++
		case 1:
			n.data = make([]int, 4+made%8)
			made++
		}
	}
}

func park(depth int) int {
	if depth == 0 {
		return <-block
	}
	return park(depth-1) + 1
}

func work() {
	for round := 0; ; round++ {
		words := make([]int, 64+round%64)
		for i := range words {
			words[i] = round ^ i
		}
		for i := range words {
			if words[i] != round^i {
				wrong.Store(true)
			}
		}
		rounds.Add(1)
		time.Sleep(100 * time.Microsecond)
	}
}

func beat() {
	runtime.LockOSThread()
	last := time.Now()
	for {
		time.Sleep(time.Millisecond)
		now := time.Now()
		gap := now.Sub(last) - time.Millisecond
		last = now
		for {
			old := longest.Load()
			if int64(gap) <= old || longest.CompareAndSwap(old, int64(gap)) {
				break
			}
		}
	}
}

func main() {
	fill(number(1))
	for i := 0; i < number(2); i++ {
		go park(i % 8)
	}
	for i := 0; i < number(3); i++ {
		go work()
	}
	runtime.GC()
	go beat()
	time.Sleep(200 * time.Millisecond)
	longest.Store(0)
	fmt.Println("ready")
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		fmt.Println("gap", longest.Swap(0))
	}
	if wrong.Load() {
		fmt.Println("wrong")
		os.Exit(1)
	}
	fmt.Println("sum", rounds.Load())
	runtime.KeepAlive(head)
}
