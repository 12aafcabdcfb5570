"""Programs whose stacks are walked: goroutines in every state, then all stands still."""

from __future__ import annotations

# With one P, main holds it in a raw system call at the end: nothing moves any more.
PARKED = """package main

import (
	"fmt"
	"net"
	"os"
	"runtime"
	"sync"
	"syscall"
	"time"
	"unsafe"
)

type Waiter interface{ Wait(c chan int) }
type value struct{ n int }

func (v value) Wait(c chan int) { waitOn(c) }

func waitOn(c chan int) { <-c }

func deep(n int, c chan int) int {
	if n == 0 {
		waitOn(c)
		return 1
	}
	var pad [10]int
	pad[n%10] = n
	return deep(n-1, c) + pad[3]
}

//go:noinline
func generic[X any](x X, f func(X)) { f(x) }

//go:noinline
func large(c chan int) byte {
	var block [9000]byte
	waitOn(c)
	return block[len(os.Args)]
}

var sink int

func init() { runtime.LockOSThread() } // main runs on the main thread

func spin() {
	for {
		sink++
	}
}

func main() {
	c := make(chan int)
	var mu sync.Mutex
	mu.Lock()
	go waitOn(c)
	go deep(40, c)
	go large(c)
	var w Waiter = &value{1}
	go w.Wait(c)
	go generic(3, func(int) { waitOn(c) })
	go mu.Lock()
	go time.Sleep(time.Hour)
	go func() { select {} }()
	go func() { // a fault, then waiting in the deferred call
		defer func() { recover(); waitOn(c) }()
		var p *value
		p.n++
	}()
	go func() { defer waitOn(c); panic(1) }()
	go func() {
		var f func(int)
		defer waitOn(c)
		f(1) // a nil function
	}()
	go func() {
		var pipe [2]int
		syscall.Pipe(pipe[:])
		syscall.Read(pipe[0], make([]byte, 1))
	}()
	l, _ := net.Listen("tcp", "127.0.0.1:0")
	go l.Accept()
	go func() { runtime.LockOSThread(); waitOn(c) }()
	var group sync.WaitGroup
	group.Add(1)
	go group.Wait()
	var once sync.Once
	go once.Do(func() { waitOn(c) })
	go spin()
	go spin()
	for i := 0; i < 5; i++ {
		time.Sleep(15 * time.Millisecond) // the spinning ones are preempted by signals
	}
	go waitOn(c) // never started

	if len(os.Args) > 1 {
		buf := make([]byte, 1<<20)
		fmt.Printf("%s\\n\\n", buf[:runtime.Stack(buf, true)])
	}
	fmt.Println("ready")
	var pipe [2]int
	syscall.Pipe(pipe[:])
	var b [1]byte
	syscall.RawSyscall(syscall.SYS_READ, uintptr(pipe[0]), uintptr(unsafe.Pointer(&b)), 1)
}
"""

CALLBACKS = """package main

/*
#include <unistd.h>
extern void fromC(int);
static void intoC(int n) { fromC(n); }
static void pauseInC(void) { for (;;) pause(); }
*/
import "C"

import (
	"fmt"
	"os"
	"runtime"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

var (
	wait    = make(chan int)
	arrived atomic.Int32
)

//export fromC
func fromC(n C.int) {
	if n > 0 {
		down(int(n) - 1)
	}
	arrived.Add(1)
	<-wait
}

//go:noinline
func down(n int) { C.intoC(C.int(n)) }

func init() { runtime.LockOSThread() }

func main() {
	go down(0)
	go down(2)
	go C.pauseInC()
	for arrived.Load() < 2 {
		time.Sleep(time.Millisecond)
	}
	time.Sleep(100 * time.Millisecond)
	fmt.Println("ready", len(os.Args))
	var pipe [2]int
	syscall.Pipe(pipe[:])
	var b [1]byte
	syscall.RawSyscall(syscall.SYS_READ, uintptr(pipe[0]), uintptr(unsafe.Pointer(&b)), 1)
}
"""

STEPPED = """package main

import (
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"
)

//go:noinline
func first(n int) int { return second(n, 2) + 1 }

//go:noinline
func second(a, b int) int {
	var pad [8]int
	pad[a&7] = b
	return third(&pad) + pad[3]
}

//go:noinline
func third(p *[8]int) int { return leaf(p[1]) * 2 }

//go:noinline
func leaf(x int) int { return x*3 + 1 }

//go:noinline
func grow(n int) int {
	var pad [64]int
	pad[n&63] = n
	if n > 0 {
		return grow(n-1) + pad[1]
	}
	return 0
}

//go:noinline
func allocate(n int) []byte { return make([]byte, n) }

//go:noinline
func park(c chan int) { <-c }

//go:noinline
func spin() {
	for i := 0; ; i++ {
		sink += leaf(i)
		runtime.Gosched()
	}
}

var (
	sink int
	kept []byte
)

func main() {
	signal.Notify(make(chan os.Signal, 1), syscall.SIGUSR1)
	sink += grow(100) // so that first needs no larger stack
	sink += first(1)
	kept = allocate(1 << 24)
	sink += grow(5000)
	go park(make(chan int))
	time.Sleep(time.Millisecond)
	spin()
}
"""

BUSY = """package main

import (
	"fmt"
	"os"
	"sort"
	"strings"
	"sync"
	"time"
)

var sink int64

func clock() {
	for {
		sink += time.Now().UnixNano()
	}
}

func allocate() {
	var kept [][]byte
	for {
		kept = append(kept, make([]byte, 100+len(kept)%5000))
		if len(kept) > 2000 {
			kept = nil
		}
	}
}

func grow(n int) int {
	var pad [32]int
	if n == 0 {
		return 0
	}
	pad[n&31] = n
	return grow(n-1) + pad[3]
}

func stacks() {
	for {
		done := make(chan int)
		go func() { done <- grow(3000) }()
		<-done
	}
}

func locks(mu *sync.Mutex) {
	for {
		mu.Lock()
		sink++
		mu.Unlock()
	}
}

func files() {
	for {
		os.ReadFile("/proc/self/stat")
	}
}

func sorts() {
	for {
		words := strings.Fields(strings.Repeat("b a c d e ", 100))
		sort.Strings(words)
	}
}

func faults() {
	for {
		func() {
			defer func() { recover() }()
			var p *int
			*p = 1
		}()
	}
}

func main() {
	var mu sync.Mutex
	go clock()
	go allocate()
	go stacks()
	go locks(&mu)
	go locks(&mu)
	go files()
	go sorts()
	go faults()
	time.Sleep(20 * time.Millisecond)
	fmt.Println("ready")
	time.Sleep(time.Hour)
}
"""
