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
