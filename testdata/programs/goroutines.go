// Stops in goroutines other than the first, while others wait for all sorts of things.
package main

import (
	"runtime"
	"sync"
)

type task struct {
	ID   int
	Name string
}

func worker(t task, in <-chan int, out chan<- int, wg *sync.WaitGroup) {
	defer wg.Done()
	n := <-in
	doubled := n * 2
	println("settle", (*int)(nil)) // the stack grows here, not later
	println("at t", &t)
	println("at n", &n)
	out <- doubled // stop hits=2
	// want: @stop function=main.worker goroutine=other
	// want: t live goroutine_stack printed=t
	// want: n live goroutine_stack printed=n
	// want#1: n value=10
	// want#1: doubled value=20
	// want#1: t value=`{ID:1 Name:"first"}`
	// want#2: n value=11
	// want#2: t value=`{ID:2 Name:"second"}`
}

func locked(done chan bool) {
	runtime.LockOSThread()
	id := 7
	println("settle", (*int)(nil)) // the stack grows here, not later
	println("at id", &id)
	done <- true // stop
	// want: @stop goroutine=other
	// want: id live goroutine_stack printed=id
}

func main() {
	in, out := make(chan int), make(chan int, 2)
	var wg sync.WaitGroup
	wg.Add(2)
	for i, name := range []string{"first", "second"} {
		go worker(task{i + 1, name}, in, out, &wg)
		in <- 10 + i
		for len(out) != i+1 {
			runtime.Gosched()
		}
	}
	wg.Wait()
	done := make(chan bool)
	go locked(done)
	<-done
	var mu sync.Mutex
	mu.Lock()
	waiting := make(chan struct{})
	go func() {
		waiting <- struct{}{}
		mu.Lock()
		seen := len("closure")
		println(seen) // stop
		// want: @stop goroutine=other function=main.main.func1
		// want: seen live value=7
		// want: mu live frame=main.main.func1
		close(waiting)
	}()
	<-waiting
	parked := "main is parked now"
	mu.Unlock()
	<-waiting
	println(parked) // stop
	// want: @stop goroutine=main
	// want: parked live value=`main is parked now`
	// want: mu live heap moved
}
