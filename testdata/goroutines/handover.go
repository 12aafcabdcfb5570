// Goroutines that are woken all the time by others who forget them at that very moment: whoever
// looks while one is being woken finds nobody any more that leads to what it waits on.
package main

import (
	"fmt"
	"os"
	"runtime"
	"sync"
	"time"
)

func channels() {
	for {
		c := make(chan int)
		go func() { c <- 1 }()
		runtime.Gosched()
		<-c
	}
}

func closes() {
	for {
		c := make(chan int)
		done := make(chan int)
		for i := 0; i < 4; i++ {
			go func() { <-c; done <- i }()
		}
		runtime.Gosched()
		close(c)
		for i := 0; i < 4; i++ {
			<-done
		}
	}
}

func selects() {
	for {
		a, b := make(chan int), make(chan int)
		go func() {
			select {
			case <-a:
			case <-b:
			}
		}()
		runtime.Gosched()
		b <- 1
	}
}

func groups() {
	for {
		g := new(sync.WaitGroup)
		g.Add(1)
		go func() { g.Wait() }()
		runtime.Gosched()
		g.Done()
	}
}

func mutexes() {
	for {
		m := new(sync.Mutex)
		m.Lock()
		for i := 0; i < 3; i++ {
			go func() { m.Lock(); m.Unlock() }()
		}
		runtime.Gosched()
		m.Unlock()
	}
}

func readers() {
	for {
		m := new(sync.RWMutex)
		m.Lock()
		for i := 0; i < 3; i++ {
			go func() { m.RLock(); m.RUnlock() }()
		}
		runtime.Gosched()
		m.Unlock()
	}
}

func conditions() {
	for {
		m := new(sync.Mutex)
		c := sync.NewCond(m)
		ready := make(chan int)
		for i := 0; i < 3; i++ {
			go func() { m.Lock(); ready <- i; c.Wait(); m.Unlock() }()
		}
		for i := 0; i < 3; i++ {
			<-ready
		}
		m.Lock()
		m.Unlock()
		c.Broadcast()
	}
}

func timers() {
	for {
		select {
		case <-time.After(time.Microsecond):
		case <-make(chan int):
		}
	}
}

func main() {
	for _, f := range []func(){
		channels, closes, selects, groups, mutexes, readers, conditions, timers,
	} {
		go f()
		go f()
	}
	fmt.Println("ready")
	os.Stdin.Read(make([]byte, 1))
}
