// Writes to watched bytes, for tests/script/test_watch_kinds.py.
package main

import (
	"runtime"
	"sync"
	"sync/atomic"
)

type pair struct {
	A, B int32
	Name string
	List []int16
}

var together int64
var ready int32

//go:noinline
func here(p *pair) {}

//go:noinline
func begin() {}

func race() {
	begin()
	var all sync.WaitGroup
	for k := 0; k < 2; k++ {
		all.Add(1)
		go func() {
			defer all.Done()
			runtime.LockOSThread()
			for i := 0; i < 12; i++ {
				atomic.AddInt32(&ready, 1)
				for atomic.LoadInt32(&ready) < int32(2*(i+1)) {
				}
				atomic.AddInt64(&together, 1)
			}
		}()
	}
	all.Wait()
}

//go:noinline
func deep(n int, p *int) int {
	var pad [128]int
	pad[n%128] = n
	if n == 0 {
		*p++
		return pad[0]
	}
	return deep(n-1, p) + pad[n%128]
}

func moves() int {
	local := 7
	begin()
	deep(200, &local)
	local = 9
	return local
}

func main() {
	p := &pair{1, 2, "name", []int16{1, 2, 3, 4}}
	bytes := [8]byte{}
	here(p)
	bytes[1] = 1 // beside
	bytes[0] = 2 // element
	p.B = 5      // beside
	p.A = 6      // field
	p.Name = "other"
	p.List[3] = 9
	p.List = append(p.List, 5)
	p.List[4] = 77
	here(p)
	println(bytes[0], p.A)
	println(moves())
	race()
	println(together)
}
