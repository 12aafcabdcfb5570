package main

import (
	"fmt"
	"iter"
	"strings"
)

type Rect struct {
	ID   int
	Tags []string
	W    float64
}

func (r *Rect) Grow(by float64) { r.W *= by }

//go:noinline
func mark(n int) {}

func each(n int) iter.Seq2[int, string] {
	return func(yield func(int, string) bool) {
		for i := 0; i < n; i++ {
			if !yield(i, strings.Repeat("*", i)) {
				return
			}
		}
	}
}

func main() {
	r := Rect{7, []string{"a", "b"}, 2.5}
	r.Grow(2)
	sink := any(&r)
	mark(3)
	for k, v := range each(5) {
		_ = v
		if k == 3 {
			mark(k)
			break
		}
	}
	fmt.Println(sink, r.W)
}
