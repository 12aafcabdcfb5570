// What goprobe calls is to tell of: every call is printed by the program itself, too.
package main

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"
	"time"
)

type point struct{ X, Y int }

type store struct {
	mode string
	data map[string]int
}

//go:noinline
func (s *store) get(key string) (int, error) {
	v, ok := s.data[key]
	if !ok {
		return 0, errors.New("no " + key)
	}
	return v, nil
}

//go:noinline
func (s *store) put(key string, v int) { s.data[key] = v }

type keeper struct{ *store }

type putter interface{ put(string, int) }

//go:noinline
func leaf(a, b uint8) uint8 { return a + b }

//go:noinline
func loops(n int) int {
	for n > 10 {
		n -= 3
	}
	return n
}

//go:noinline
func floats(x float64, y float32) float64 { return x * float64(y) }

//go:noinline
func mixed(p point, xs []int, ok bool, q *point, any interface{}) (point, string) {
	return point{p.X + len(xs), q.Y}, fmt.Sprint(any, ok)
}

//go:noinline
func blank(_ string, n int) int { return n + 1 }

//go:noinline
func many(a, b, c, d, e, f, g, h, i, j, k int) (int, int) { return a + k, j }

//go:noinline
func pair[T any](a, b T) []T { return []T{a, b} }

//go:noinline
func fails(n int) int {
	if n == 0 {
		panic("boom 7")
	}
	return fails(n-1) + 1
}

//go:noinline
func recovers() (what string) {
	defer func() { what = fmt.Sprint(recover()) }()
	fails(2)
	return "not reached"
}

//go:noinline
func leaves(n int) {
	if n == 0 {
		runtime.Goexit()
	}
	leaves(n - 1)
}

//go:noinline
func deep(n int) int {
	var room [512]byte
	room[n%512] = 1
	if n == 0 {
		return int(room[0])
	}
	return deep(n-1) + int(room[n%512])
}

//go:noinline
func moved(n int) *int { return &n }

//go:noinline
func step(worker, i int) int { return worker*1000000 + i }

func crowd(workers, rounds int) {
	var all sync.WaitGroup
	for w := range make([]int, workers) {
		w := w
		all.Add(1)
		go func() {
			defer all.Done()
			for i := 0; i < rounds; i++ {
				if got := step(w, i); got != w*1000000+i {
					fmt.Println("WRONG", got)
					os.Exit(9)
				}
			}
		}()
	}
	all.Wait()
}

func once() {
	s := &store{"dev", map[string]int{"a": 1}}
	fmt.Println(s.get("a"))
	fmt.Println(s.get("zz"))
	var p putter = keeper{s}
	p.put("b", 2)
	fmt.Println(leaf(200, 100), loops(100), floats(1.5, 2), blank("x", 4))
	fmt.Println(mixed(point{1, 2}, []int{7, 8, 9}, true, &point{3, 4}, "held"))
	fmt.Println(many(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11))
	fmt.Println(pair("x", "y"), pair(1, 2), pair(point{1, 2}, point{3, 4}))
	fmt.Println(recovers(), deep(50), *moved(5))
	done := make(chan bool)
	go func() { defer close(done); leaves(2) }()
	<-done
	add := func(n int) int { return n + len(s.mode) }
	fmt.Println(add(4))
}

type label string

//go:noinline
func leads(s *string, a, b any, e *string, l *label, n any) any { return b }

func main() {
	word, empty, tag := "nil", "", label("x y")
	leads(&word, &word, &tag, &empty, &tag, uintptr(0x1234))
	if len(os.Args) > 1 && os.Args[1] == "serve" {
		fmt.Println("ready")
		for i := 0; ; i++ {
			crowd(4, 200)
			once2(i)
			time.Sleep(time.Millisecond)
			if i%50 == 0 {
				fmt.Println("round", i)
			}
		}
	}
	if len(os.Args) > 1 && os.Args[1] == "crowd" {
		crowd(8, 500)
		fmt.Println("done")
		return
	}
	once()
	fmt.Println("end")
}

//go:noinline
func once2(i int) { recovers() }
