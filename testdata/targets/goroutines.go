// Goroutines in every state that there is.
//
//	goroutines DUMP [PARKED [SPINNING]]
//
// It starts PARKED goroutines (default 1000) that wait in turn for each thing a goroutine can wait
// for, SPINNING (default 2) that run, some in system calls, some locked to their threads, and some
// that end at once. When all are where they should be, it writes runtime.Stack of all of them to the
// file DUMP, prints `started N` (goroutines alive), "ready", and stands still until its stdin
// closes; then it exits. Ids, states, wait reasons and functions stay as they are in the dump: only
// the main goroutine waits for stdin then, and the spinning ones may be running or runnable.
package main

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

var (
	nobody  = make(chan int)
	full    = make(chan int)
	mutex   sync.Mutex
	rw      sync.RWMutex
	group   sync.WaitGroup
	lock    sync.Mutex
	cond    = sync.NewCond(&lock)
	spin    = true
	started atomic.Int64
)

func receive()  { started.Add(1); <-nobody }
func send()     { started.Add(1); full <- 1 }
func nilRead()  { started.Add(1); var c chan int; <-c }
func nilWrite() { started.Add(1); var c chan int; c <- 1 }
func empty()    { started.Add(1); select {} }
func choose() {
	started.Add(1)
	select {
	case <-nobody:
	case full <- 1:
	}
}
func sleep()     { started.Add(1); time.Sleep(time.Hour) }
func acquire()   { started.Add(1); mutex.Lock() }
func readLock()  { started.Add(1); rw.RLock() }
func waitGroup() { started.Add(1); group.Wait() }
func waitCond() {
	cond.L.Lock()
	started.Add(1)
	cond.Wait()
}
func deferred() { defer receive(); runtime.Gosched() }
func deep(n int) {
	if n > 0 {
		deep(n - 1)
	} else {
		receive()
	}
}
func deeper() { deep(50) }

func network() {
	r, _, err := os.Pipe()
	if err != nil {
		panic(err)
	}
	started.Add(1)
	r.Read(make([]byte, 1))
}

func systemCall() {
	var ends [2]int
	if err := syscall.Pipe(ends[:]); err != nil {
		panic(err)
	}
	started.Add(1)
	syscall.Read(ends[0], make([]byte, 1))
}

func locked() {
	runtime.LockOSThread()
	receive()
}

func turn() {
	started.Add(1)
	for spin {
	}
}

var kinds = []func(){
	receive, send, nilRead, nilWrite, empty, choose, sleep, acquire, readLock, waitGroup, waitCond,
	deferred, deeper,
}

func number(i, otherwise int) int {
	if len(os.Args) <= i {
		return otherwise
	}
	n, err := strconv.Atoi(os.Args[i])
	if err != nil {
		panic(err)
	}
	return n
}

func main() {
	parked, spinning := number(2, 1000), number(3, 2)
	runtime.GOMAXPROCS(spinning + 2)
	debug.SetGCPercent(-1)
	mutex.Lock()
	rw.Lock()
	group.Add(1)
	var ended sync.WaitGroup
	for i := 0; i < 100; i++ {
		ended.Add(1)
		go ended.Done()
	}
	ended.Wait()
	for i := 0; i < parked; i++ {
		go kinds[i%len(kinds)]()
	}
	extra := []func(){network, network, systemCall, systemCall, systemCall, locked, locked}
	for _, f := range extra {
		go f()
	}
	for i := 0; i < spinning; i++ {
		go turn()
	}
	for int(started.Load()) < parked+spinning+len(extra) {
		time.Sleep(time.Millisecond)
	}
	settle()
	write(os.Args[1])
	fmt.Printf("started %d\npid %d\nready\n", runtime.NumGoroutine(), os.Getpid())
	io.Copy(io.Discard, os.Stdin)
}

// settle waits until two dumps in a row name the same states: everybody is where they go.
func settle() {
	before := ""
	for {
		buffer := make([]byte, 64<<20)
		now := states(string(buffer[:runtime.Stack(buffer, true)]))
		if now == before {
			return
		}
		before = now
		time.Sleep(20 * time.Millisecond)
	}
}

// states keeps the lines `goroutine N [state]:` of a dump, without those that run.
func states(dump string) string {
	var kept []string
	for _, line := range strings.Split(dump, "\n") {
		if strings.HasPrefix(line, "goroutine ") && !strings.Contains(line, "[run") {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "\n")
}

func write(path string) {
	buffer := make([]byte, 64<<20)
	n := runtime.Stack(buffer, true)
	if err := os.WriteFile(path, buffer[:n], 0o644); err != nil {
		panic(err)
	}
}
