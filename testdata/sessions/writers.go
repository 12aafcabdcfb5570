// Many threads that write one word at once, for tests/script/test_watch_kinds.py.
package main

import (
	"os"
	"runtime"
	"sync"
	"sync/atomic"
)

const (
	writers = 6
	writes  = 10
)

var word int64

//go:noinline
func begin() {}

func main() {
	runtime.GOMAXPROCS(writers + 2)
	begin()
	var all, ready sync.WaitGroup
	ready.Add(writers)
	start := make(chan bool)
	for k := 0; k < writers; k++ {
		all.Add(1)
		go func() {
			runtime.LockOSThread()
			ready.Done()
			<-start
			for i := 0; i < writes; i++ {
				atomic.AddInt64(&word, 1)
			}
			all.Done()
		}()
	}
	ready.Wait()
	close(start)
	all.Wait()
	if word != writers*writes {
		os.Exit(3)
	}
}
