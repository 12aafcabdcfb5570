// Stacks that Go did not make, whose bounds its runtime can only estimate: each address is told in
// one line with the thread whose stack it is on. Then the program says "ready" and stands.
package main

/*
#cgo LDFLAGS: -lpthread
#include "threads.h"
*/
import "C"

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"
	"syscall"
	"unsafe"
)

var (
	glob    = []string{"global"}
	entered sync.WaitGroup
	held    = make(chan int)
)

//export enter
func enter(number C.int) {
	entered.Done()
	<-held
}

func tell(name string, number int) {
	fmt.Printf("%s %#x %d\n", name, uintptr(C.place_at(C.int(number))), int(C.place_tid(C.int(number))))
}

//go:noinline
func grow(n int) (sum int) {
	var block [64]int
	if n > 0 {
		block[n%64] = grow(n - 1)
	}
	return block[n%64]
}

func main() {
	debug.SetGCPercent(-1) // it may make stacks smaller
	grow(100)
	runtime.LockOSThread()
	var local [4]int
	heap := new([100]int)
	C.on_thread(1)
	var other sync.WaitGroup
	other.Add(1)
	go func() {
		runtime.LockOSThread()
		C.on_thread(2)
		other.Done()
		<-held
	}()
	other.Wait()
	entered.Add(4)
	C.start_all()
	entered.Wait()
	for C.ready == 0 {
		syscall.Nanosleep(&syscall.Timespec{Nsec: 1e6}, nil)
	}
	where := uintptr(unsafe.Pointer(&local)) // which keeps it on the stack
	fmt.Printf("local %#x\n", where)         // stop
	fmt.Printf("heap %p\nglobal %p\ntext %p\nmalloc %p\n", heap, &glob, main, C.large_block())
	for name, number := range map[string]int{
		"main": 1, "locked": 2, "stays": 4, "calls": 6, "near": 7, "given": 8, "givennear": 9,
		"static": 10, "staticnear": 11, "signals": 12, "signalsnear": 14,
	} {
		tell(name, number)
	}
	fmt.Println("ready")
	fmt.Scanln()
	runtime.KeepAlive(heap)
}
