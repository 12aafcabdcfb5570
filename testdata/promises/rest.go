// Promises that hold, or that nobody can know of, and lines renamed.
package main

import (
	"errors"
	"fmt"
	"runtime"
)

type buffer struct{ b []byte }

// room: it never has to grow.
//
//goprobe:noalloc
func (w *buffer) room(c byte) { w.b = append(w.b, c) }

// early appends to dst (which may be nil); on bad input it returns nil.
//
//goprobe:noalloc
//go:noinline
func early(dst []byte, src string) ([]byte, error) {
	dst = dst[:0]
	for i := 0; i < len(src); i++ {
		if src[i] == '!' {
			return nil, bad
		}
		dst = append(dst, src[i])
	}
	return dst, nil
}

var bad = errors.New("bad")

//goprobe:noalloc
//go:noinline
func never(n int) []int { return make([]int, n) }

//goprobe:noalloc
func dropped(n int) []int { return make([]int, n) }

// nothing has no site at all.
//
//goprobe:noalloc
//go:noinline
func nothing(a, b int) int { return a*b + a }

// counted grows nothing: each key is there already.
//
//goprobe:noalloc
//go:noinline
func counted(m map[string]int, key []byte) { m[string(key)]++ }

//goprobe:noalloc
//go:noinline
func waits(c chan int) int { return <-c }

//go:noinline
func zero(n int) { sink = make([]byte, n) }

//go:noinline
func where() { _, file, _, _ = runtime.Caller(0) } //goprobe:noalloc

//go:noinline
func outOf(s []int, i int) (n int) {
	defer func() { _ = recover() }()
	return s[i] //goprobe:noalloc
}

// goprobe:noalloc
func spaced() {}

//goprobe:noaloc
func misspelt() {}

//goprobe:noalloc
type thing struct{}

//goprobe:heap

// The end of the file has no code but this.
var sink []byte
var file string

func main() {
	w := buffer{make([]byte, 0, 1000)}
	for i := 0; i < 1000; i++ {
		w.room('x')
	}
	fmt.Println(early(nil, "ab!"))
	if len(w.b) == 7 {
		never(3)
	}
	m := map[string]int{"a": 1}
	for i := 0; i < 100; i++ {
		counted(m, w.b[:0])
		counted(m, []byte("a"))
	}
	c := make(chan int, 1)
	c <- 1
	fmt.Println(nothing(len(w.b), 2), waits(c))
	for i := 0; i < 40; i++ {
		zero(100)
	}
	for i := 0; i < 1000; i++ {
		zero(0)
	}
	where()
	outOf(nil, len(w.b))
	fmt.Println(len(action(5)), thing{})
	spaced()
	misspelt()
}

//line grammar.y:100
//goprobe:noalloc
//go:noinline
func action(n int) []int { return make([]int, n) }
