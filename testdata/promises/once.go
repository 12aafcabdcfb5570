// Promises of what comes after the first call of a sync.Once, for tests/escape/test_promises.py.
package main

import (
	"fmt"
	"sync"
)

//goprobe:noalloc after the first call
func One() int { once.Do(func() { cache = make([]int, 100) }); return len(cache) }

var once sync.Once
var cache []int

//
//goprobe:noalloc after the first call
//go:noinline
func Two(n int) int {
	once2.Do(func() {
		cache = append(cache, make([]int, n+100)...)
		each(func() { cache = make([]int, 200) })
	})
	return len(cache)
}

var once2 sync.Once

type other struct{}

//go:noinline
func (other) Do(f func()) { f() }

//goprobe:noalloc after the first call
func Other() int { other{}.Do(func() { cache = make([]int, 100) }); return len(cache) }

//goprobe:noalloc after the first call
func Both() int {
	each(func() { cache = make([]int, 100) })
	once3.Do(func() { cache = make([]int, 100) })
	return len(cache)
}

var once3 sync.Once

//go:noinline
func each(f func()) { f() }

//goprobe:noalloc
func Plain() int { once4.Do(func() { cache = make([]int, 100) }); return len(cache) }

var once4 sync.Once

func main() {
	for i := 0; i < 5; i++ {
		One()
		Two(i)
		Other()
		Both()
		Plain()
	}
	fmt.Println("ok")
}
