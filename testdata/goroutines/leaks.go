// Goroutines that are lost, and others that wait as long and are not; each says which it is. With
// a runtime that finds leaks itself it says what that found, when it is asked ("leaks").
package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"runtime"
	"runtime/pprof"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

type job struct {
	data [4096]byte
	next *job
}

type server struct {
	mu    sync.Mutex
	rw    sync.RWMutex
	queue chan *job
}

var (
	begun   sync.WaitGroup
	printed sync.Mutex

	everywhere  = make(chan int)
	group       = new(sync.WaitGroup)
	cond        = sync.NewCond(new(sync.Mutex))
	locked      = new(sync.Mutex)
	finalizable = new(*server)
	closure     func()
	pages       []byte
	stopped     context.CancelFunc
	onStack     atomic.Uintptr
)

func id() (n int) {
	buf := make([]byte, 64)
	buf = buf[:runtime.Stack(buf, false)]
	fmt.Sscanf(string(buf), "goroutine %d ", &n)
	return n
}

// start begins a goroutine that says that it will be "leaked", "alive" or "undecided".
func start(what, name string, f func()) {
	begun.Add(1)
	go func() {
		number := id()
		printed.Lock()
		fmt.Println(what, name, number)
		printed.Unlock()
		begun.Done()
		f()
	}()
}

func lost() {
	start("leaked", "nil-receive", func() { var c chan int; <-c })
	start("leaked", "nil-send", func() { var c chan int; c <- 1 })
	start("leaked", "no-cases", func() { select {} })
	start("leaked", "nil-cases", func() {
		var a, b chan int
		select {
		case <-a:
		case b <- 1:
		}
	})
	start("leaked", "receive", func() { <-make(chan int) })
	start("leaked", "range", func() {
		for range make(chan int) {
		}
	})
	kept := &job{next: &job{}}
	start("leaked", "send", func() { make(chan *job) <- kept })
	full := make(chan int, 1)
	full <- 1
	start("leaked", "full", func() { full <- 2 })
	start("leaked", "select", func() {
		select {
		case <-make(chan int):
		case make(chan string) <- "":
		}
	})
	s := &server{queue: make(chan *job)}
	for i := 0; i < 3; i++ {
		start("leaked", "shared", func() { s.queue <- new(job) })
	}
	start("leaked", "mutex", func() { m := new(sync.Mutex); m.Lock(); m.Lock() })
	start("leaked", "rlock", func() { m := new(sync.RWMutex); m.Lock(); m.RLock() })
	start("leaked", "lock", func() { m := new(sync.RWMutex); m.RLock(); m.Lock() })
	start("leaked", "group", func() { g := new(sync.WaitGroup); g.Add(1); g.Wait() })
	start("leaked", "cond", func() { c := sync.NewCond(new(sync.Mutex)); c.L.Lock(); c.Wait() })
	// Two who wait for each other.
	a, b := make(chan int), make(chan int)
	start("leaked", "cycle", func() { <-a; b <- 1 })
	start("leaked", "cycle", func() { <-b; a <- 1 })
	// Who could wake this one is lost.
	x := make(chan int)
	start("leaked", "behind", func() { <-x })
	start("leaked", "holder", func() { <-make(chan int); x <- 1 })
	crowd()
	ctx, _ := context.WithCancel(context.Background())
	start("leaked", "context", func() { <-ctx.Done() })
}

//go:noinline
func crowd() {
	many := make(chan int)
	for i := 0; i < 150; i++ {
		start("leaked", "many", func() { many <- 1 })
	}
}

func alive() {
	start("alive", "global", func() { <-everywhere })
	start("alive", "global-select", func() {
		select {
		case <-make(chan int):
		case <-everywhere:
		}
	})
	start("alive", "after", func() { <-time.After(time.Hour) })
	start("alive", "ticker", func() { <-time.NewTicker(time.Hour).C })
	start("alive", "timeout", func() {
		select {
		case <-make(chan int):
		case <-time.After(time.Hour):
		}
	})
	start("alive", "sleep", func() { time.Sleep(time.Hour) })
	c := make(chan int)
	time.AfterFunc(time.Hour, func() { close(c) })
	start("alive", "timer-closure", func() { <-c })
	start("alive", "group", func() { group.Wait() })
	start("alive", "cond", func() { cond.L.Lock(); cond.Wait() })
	start("alive", "mutex", func() { locked.Lock() })
	d := make(chan int)
	closure = func() { d <- 1 }
	start("alive", "closure", func() { <-d })
	done := make(chan int)
	start("alive", "of-a-sleeper", func() { <-done })
	start("alive", "sleeper", func() { time.Sleep(time.Hour); done <- 1 })
	// A chain whose last one sleeps.
	first := make(chan int)
	start("alive", "chain", func() { time.Sleep(time.Hour); close(first) })
	next := first
	for i := 0; i < 150; i++ {
		before, after := next, make(chan int)
		start("alive", "chain", func() { <-before; close(after) })
		next = after
	}
	f, end := new(job), make(chan int)
	runtime.SetFinalizer(f, func(*job) { close(end) })
	*(**job)(unsafe.Pointer(finalizable)) = f
	start("alive", "finalizer", func() { <-end })
	ctx, cancel := context.WithCancel(context.Background())
	stopped = cancel
	start("alive", "context", func() { <-ctx.Done() })
	var deferred = make(chan int)
	start("alive", "of-a-deferred", func() { <-deferred })
	start("alive", "deferring", func() {
		for i := 0; i < 2; i++ {
			defer func() { close(deferred) }()
		}
		time.Sleep(time.Hour)
	})
	r, _, _ := os.Pipe()
	read := make(chan int)
	start("alive", "of-a-reader", func() { <-read })
	start("alive", "reader", func() { r.Read(make([]byte, 1)); read <- 1 })
	// Nothing of Go's knows of this channel but a word in a page of the program's own.
	hidden := make(chan int)
	*(*uintptr)(unsafe.Pointer(&pages[8])) = *(*uintptr)(unsafe.Pointer(&hidden))
	start("undecided", "hidden", func() { <-hidden })
}

func main() {
	group.Add(1)
	locked.Lock()
	pages, _ = syscall.Mmap(-1, 0, 4096, syscall.PROT_READ|syscall.PROT_WRITE,
		syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if len(os.Args) < 2 {
		lost()
	}
	alive()
	begun.Wait()
	time.Sleep(200 * time.Millisecond)
	fmt.Println("ready")
	in := bufio.NewReader(os.Stdin)
	for {
		if _, err := in.ReadString('\n'); err != nil {
			return
		}
		if p := pprof.Lookup("goroutineleak"); p != nil {
			p.WriteTo(os.Stdout, 2)
		}
		fmt.Println("\nend of leaks")
	}
}
