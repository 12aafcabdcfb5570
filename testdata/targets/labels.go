// Goroutines with pprof labels: of their own, nested, inherited, many, strange and none. The program
// says what each has, and on each line of its input writes its goroutine profile.
package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"runtime"
	"runtime/pprof"
	"strconv"
	"strings"
	"sync"
)

var (
	all  sync.WaitGroup
	hold = make(chan int)
	say  sync.Mutex
)

func goid() int {
	var buf [64]byte
	text := string(buf[:runtime.Stack(buf[:], false)])
	id, _ := strconv.Atoi(strings.Fields(text)[1])
	return id
}

func tell(ctx context.Context) {
	say.Lock()
	defer say.Unlock()
	fmt.Printf("goroutine %d\n", goid())
	pprof.ForLabels(ctx, func(key, value string) bool {
		fmt.Printf("label %+q %+q\n", key, value)
		return true
	})
}

func stand(ctx context.Context) {
	tell(ctx)
	all.Done()
	<-hold
}

func spin(ctx context.Context) {
	tell(ctx)
	all.Done()
	for {
		select {
		case <-hold:
			return
		default:
		}
	}
}

func with(run func(context.Context), pairs ...string) {
	all.Add(1)
	go pprof.Do(context.Background(), pprof.Labels(pairs...), run)
}

func main() {
	background := context.Background()
	all.Add(1)
	go stand(background)
	for n := 0; n < 3; n++ {
		with(stand, "worker", strconv.Itoa(n))
	}
	with(spin, "busy", "yes")
	with(stand)
	with(stand, "", "empty key", "empty value", "")
	with(stand, "quote\"back\\slash", "tab\tüλ\x00\xff\u202e", "long", strings.Repeat("x", 1000))
	for _, count := range []int{7, 8, 9, 14, 40, 300} {
		var pairs []string
		for n := 0; n < count; n++ {
			pairs = append(pairs, fmt.Sprint("key", n), fmt.Sprint("value", n*n))
		}
		with(stand, pairs...)
	}
	with(func(ctx context.Context) {
		pprof.Do(ctx, pprof.Labels("b", "changed", "c", "3"), func(inner context.Context) {
			all.Add(1)
			go stand(inner) // has inherited them
			stand(inner)
		})
	}, "a", "1", "b", "2")
	with(func(ctx context.Context) {
		pprof.SetGoroutineLabels(background)
		stand(background)
	}, "taken", "away")
	all.Wait()
	fmt.Println("ready")
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		pprof.Lookup("goroutine").WriteTo(os.Stdout, 1)
		fmt.Println("ready")
	}
}
