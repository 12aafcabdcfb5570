// What inlined calls move to the heap of their parameters, receivers and results is their own. For
// each function main prints what a round of it allocates.
package main

import (
	"fmt"
	"runtime"
)

type Point struct{ X, Y int }
type Box[T any] struct{ V T }
type Handler interface{ Handle(p Point) *Point }
type handler struct{ n int }
type outer struct{ handler }

var last *Point
var lastHandler *handler
var lastInt *int
var seen int
var sink any

//go:noinline
func note(n int) { seen += n }

//goprobe:noalloc deep
func parameter(p Point) *Point {
	note(p.X)
	return &p
}

//goprobe:noalloc
func bare(p Point) *Point { return &p }

//goprobe:stack
func bareStack(x int) *int { return &x }

//goprobe:noalloc deep
func bareDeep(x int) *int { return &x }

//goprobe:noalloc deep
func result(x int) (r int, p *int) {
	note(x)
	p = &r
	return
}

//goprobe:noalloc deep
func (p Point) receiver() *Point {
	note(p.X)
	return &p
}

//goprobe:noalloc deep
func calling(p Point) *Point {
	note(p.X)
	return parameter(p)
}

//goprobe:noalloc deep
func several(
	a int,
	p Point,
) *Point {
	note(a)
	return &p
}

//goprobe:noalloc deep
func generic[T any](x T) *T {
	note(1)
	return &x
}

//goprobe:noalloc deep
func (b Box[T]) generic() *Box[T] {
	note(1)
	return &b
}

//goprobe:noalloc deep
func empty(e struct{}) *struct{} {
	note(1)
	return &e
}

//goprobe:noalloc deep
func inFrames(p Point) *Point {
	note(1)
	return &p
}

//goprobe:allow-alloc "kept once"
func allowed(p Point) *Point {
	note(1)
	return &p
}

//goprobe:noalloc deep
//go:noinline
func callsAllowed() {
	last = allowed(Point{seen, 1})
}

//goprobe:noalloc deep
func (h handler) Handle(p Point) *Point { return &p }

//goprobe:noalloc
func (h handler) Self() *handler {
	note(h.n)
	return &h
}

//go:noinline
func handle(h Handler) *Point { return h.Handle(Point{1, 2}) }

//go:noinline
func self(h interface{ Self() *handler }) *handler { return h.Self() }

func measure(name string, round func()) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for i := 0; i < 100; i++ {
		round()
	}
	runtime.ReadMemStats(&after)
	fmt.Println(name, (after.Mallocs-before.Mallocs+50)/100)
}

var byPointer Handler = &handler{3}
var promoted interface{ Self() *handler } = &outer{handler{4}}

func main() {
	measure("func parameter", func() { last = parameter(Point{seen, 2}) })
	measure("func bare(", func() { last = bare(Point{seen, 2}) })
	measure("func bareStack", func() { lastInt = bareStack(seen) })
	measure("func bareDeep", func() { lastInt = bareDeep(seen) })
	measure("func result", func() { _, lastInt = result(seen) })
	measure("func (p Point) receiver", func() { last = Point{seen, 2}.receiver() })
	measure("func calling(", func() { last = calling(Point{seen, 2}) })
	measure("func several", func() { last = several(seen, Point{seen, 2}) })
	measure("func generic[", func() { lastInt = generic(seen) })
	measure("func (b Box[T]) generic", func() { sink = Box[int]{seen}.generic() })
	measure("func empty", func() { sink = empty(struct{}{}) })
	measure("func inFrames", func() { seen += inFrames(Point{seen, 2}).X })
	measure("func callsAllowed", callsAllowed)
	measure("func (h handler) Handle", func() { last = handle(byPointer) })
	measure("func (h handler) Self", func() { lastHandler = self(promoted) })
}
