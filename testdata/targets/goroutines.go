// Goroutines in every state, and the runtime's own word on them.
//
//	goroutines PARKED FILE
//
// It parks PARKED goroutines in a channel, and has others wait in other ways, run, call the system,
// be locked to threads, and end. Once all stand where they will stay, it writes what
// runtime.Stack(all=true) prints into FILE, says "ready" and stays as it is.
package main

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

type keeper struct{ mu sync.Mutex }

var (
	block   = make(chan int)
	full    = make(chan int)
	never   atomic.Bool
	mutex   sync.Mutex
	rw      sync.RWMutex
	group   sync.WaitGroup
	cond    = sync.NewCond(&sync.Mutex{})
	turns   atomic.Int64
	writers sync.Map
)

func park(depth int) int {
	if depth == 0 {
		return <-block
	}
	return park(depth-1) + 1
}

func send() { full <- 1 }
func choose() {
	select {
	case <-block:
	case full <- 1:
	}
}
func chooseNothing()   { select {} }
func nilChannel()      { var none chan int; <-none }
func sleep()           { time.Sleep(time.Hour) }
func lock()            { mutex.Lock() }
func readLock()        { rw.RLock() }
func waitGroup()       { group.Wait() }
func waitCond()        { cond.L.Lock(); cond.Wait() }
func end()             {}
func (k *keeper) own() { k.mu.Lock() }

func spin() {
	for !never.Load() {
		turns.Add(1)
	}
}

func system() {
	var ends [2]int
	syscall.Pipe(ends[:])
	syscall.Read(ends[0], make([]byte, 1))
}

func poll() {
	r, w, _ := os.Pipe()
	writers.Store(w, true) // a writer that is collected is closed, which ends the wait
	r.Read(make([]byte, 1))
}

func lockedToThread() {
	runtime.LockOSThread()
	<-block
}

func lockedInSystem() {
	runtime.LockOSThread()
	system()
}

func nested(depth int) {
	if depth > 0 {
		go nested(depth - 1)
	}
	<-block
}

func dump(path string) {
	text := make([]byte, 64<<20)
	text = text[:runtime.Stack(text, true)]
	if err := os.WriteFile(path, text, 0o644); err != nil {
		panic(err)
	}
}

func main() {
	parked, _ := strconv.Atoi(os.Args[1])
	runtime.GOMAXPROCS(4)
	mutex.Lock()
	rw.Lock()
	group.Add(1)
	k := &keeper{}
	k.mu.Lock()
	for i := 0; i < parked; i++ {
		go park(i % 7)
	}
	for _, f := range []func(){
		send, choose, chooseNothing, nilChannel, sleep, lock, readLock, waitGroup, waitCond, system,
		poll, lockedToThread, lockedInSystem, k.own,
	} {
		for i := 0; i < 3; i++ {
			go f()
		}
	}
	go func() { nested(5) }()
	context.AfterFunc(context.Background(), end)
	time.AfterFunc(time.Hour, end)
	object := new([64]int)
	runtime.SetFinalizer(object, func(*[64]int) {})
	runtime.GC()
	for i := 0; i < 300; i++ {
		go end()
	}
	time.Sleep(20 * time.Millisecond)
	go spin()
	go spin()
	time.Sleep(200 * time.Millisecond)
	dump(os.Args[2])
	fmt.Println("ready")
	os.Stdin.Read(make([]byte, 1))
	runtime.KeepAlive(k)
	runtime.KeepAlive(object)
}
