// Goroutines that come to one place in the same instant, and then call a function many times at
// once.
package main

import (
	"os"
	"runtime"
	"sync"
)

const (
	goroutines = 8
	calls      = 100
)

//go:noinline
func meet(id int) {}

//go:noinline
func work(id, i int) int { return id*1000 + i }

func main() {
	runtime.GOMAXPROCS(goroutines)
	var ready, all sync.WaitGroup
	ready.Add(goroutines)
	start := make(chan bool)
	sums := make([]int, goroutines)
	for id := 0; id < goroutines; id++ {
		all.Add(1)
		go func(id int) {
			defer all.Done()
			ready.Done()
			<-start
			meet(id)
			for i := 0; i < calls; i++ {
				sums[id] += work(id, i)
			}
		}(id)
	}
	ready.Wait()
	close(start)
	all.Wait()
	for id, sum := range sums {
		if sum != id*1000*calls+calls*(calls-1)/2 {
			os.Exit(3)
		}
	}
}
