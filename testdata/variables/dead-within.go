// What lies in a frame and leads to the heap, once nothing uses it any more: the pointer into the
// frame is still right, but what lies there is kept no longer.
package main

import "runtime"

type node struct {
	n    int
	next *node
}

type face interface{ get() int }

type holder struct{ first *node }

func (h *holder) get() int { return h.first.n }

var held []any
var none int

//go:noinline
func stop(n int) {}

//go:noinline
func made(n int) *node { return &node{n: n} }

//go:noinline
func collect() {
	for i := 0; i < 3; i++ {
		runtime.GC()
	}
	for i := 0; i < 20000; i++ {
		held = append(held, &node{n: 666})
	}
}

//go:noinline
func sum(m map[int]*node, list []*node, at *holder, f func() int) int {
	return m[1].n + list[0].n + at.first.n + f()
}

func within() {
	table := map[int]*node{}
	table[1] = made(1)
	wide := map[int][20]*node{}
	wide[1] = [20]*node{made(1)}
	list := []*node{made(2), made(3)}
	own := holder{made(4)}
	at := &own
	caught := made(5)
	add := func() int { none++; return caught.n + none }
	var any face = at
	nest := [1]*holder{at}
	stop(sum(table, list, at, add) + any.get() + nest[0].first.n + wide[1][0].n)
	collect()
	stop(2)
}

func main() {
	within()
}
