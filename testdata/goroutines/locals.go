// Goroutines that wait with variables whose values are known, and one that runs.
package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"runtime"
	"runtime/pprof"
	"sync"
	"time"
)

type job struct {
	id   int
	name string
	tags []string
	m    map[string]int
}

var wg sync.WaitGroup

//go:noinline
func worker(n int, j *job, f float64, out chan<- int) (err error) {
	local := n * 3
	s := fmt.Sprint("worker ", n)
	arr := [3]int{n, n + 1, n + 2}
	wg.Done()
	out <- local
	later := local + 1
	fmt.Println(local, s, arr, j.name, f, later)
	return nil
}

//go:noinline
func spin(k int) {
	x := k
	wg.Done()
	for {
		x++
		time.Sleep(time.Millisecond)
		for i := 0; i < 1000; i++ {
			x ^= i
		}
		if x == -5 {
			fmt.Println(x)
		}
	}
}

func main() {
	out := make(chan int)
	for i := 0; i < 5; i++ {
		wg.Add(1)
		go worker(i, &job{i, fmt.Sprint("job", i), []string{"a", "b"}, map[string]int{"k": i}}, float64(i)/2, out)
	}
	wg.Add(1)
	pprof.Do(context.Background(), pprof.Labels("queue", "mail"), func(context.Context) {
		go spin(77)
	})
	wg.Wait()
	time.Sleep(100 * time.Millisecond)
	runtime.GC()
	runtime.GC() // it notes since when they wait: since the collection before (mgcmark.go)
	fmt.Println("ready")
	bufio.NewReader(os.Stdin).ReadString('\n')
	<-out
}
