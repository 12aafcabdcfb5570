// Calls whose values are in registers, from many goroutines: while the collector, the profiler and
// preemption interrupt them, stacks grow, panics and runtime.Goexit take them away, children run.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"runtime/pprof"
	"sync"
	"sync/atomic"
	"time"
)

var added, asked, deepened, risked atomic.Int64

var errOdd = errors.New("odd")

//go:noinline
func add(a, b int) int { return a + b }

//go:noinline
func maybe(n int, u uint8, ok bool) (int, error) {
	if n%100 == 7 {
		return 0, errOdd
	}
	if ok {
		return n * 2, nil
	}
	return int(u), nil
}

//go:noinline
func deep(n int) int {
	var room [256]byte
	room[n%256] = byte(n)
	if n == 0 {
		return int(room[0])
	}
	return deep(n-1) + int(room[n%256])*0 + 1
}

//go:noinline
func risk(n int) int {
	if n%3 == 0 {
		panic("three")
	}
	return n
}

func safe(n int) (r int) {
	defer func() {
		if recover() != nil {
			r = -1
		}
	}()
	return risk(n)
}

//go:noinline
func leave(n int) int {
	if n >= 0 {
		runtime.Goexit()
	}
	return 1
}

//go:noinline
func tick(n int) int { return n + 1 }

func check(ok bool) {
	if !ok {
		fmt.Println("WRONG")
		os.Exit(3)
	}
}

func work(id, rounds int) {
	for i := 0; i < rounds; i++ {
		check(add(i, id) == i+id)
		added.Add(1)
		r, err := maybe(i, uint8(id), i%2 == 0)
		check((err != nil) == (i%100 == 7) && (err != nil || i%2 == 1 || r == 2*i))
		asked.Add(1)
		if i%100 == 0 {
			check(deep(100+i%50) == 100+i%50)
			deepened.Add(int64(101 + i%50))
			check((safe(i) == -1) == (i%3 == 0))
			risked.Add(1)
			runtime.Gosched()
		}
	}
}

func main() {
	rounds := 400
	if len(os.Args) > 1 {
		rounds = 1 << 40
	}
	go func() {
		for {
			runtime.GC()
			time.Sleep(time.Millisecond)
		}
	}()
	pprof.StartCPUProfile(io.Discard)
	var wg sync.WaitGroup
	for id := 0; id < 8; id++ {
		id := id
		wg.Add(1)
		go func() { defer wg.Done(); work(id, rounds) }()
	}
	wg.Add(1)
	go func() { defer wg.Done(); leave(1) }()
	for i := 0; i < 3; i++ {
		exec.Command("/bin/true").Run()
		tick(i)
	}
	for i := 0; rounds > 1<<20; i++ {
		time.Sleep(time.Millisecond)
		tick(i)
	}
	wg.Wait()
	pprof.StopCPUProfile()
	fmt.Println(added.Load(), asked.Load(), deepened.Load(), risked.Load())
}
