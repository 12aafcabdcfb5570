// Goroutines that wait, and hold objects by what stands in their frames alone. All types have one
// layout: nothing but the code that made an object, or handed it on, tells which it is.
package main

import (
	"fmt"
	"os"
	"runtime"
	"sync"
	"time"
	"unsafe"
)

type layout struct {
	n    int
	next *int
	more [2]int
}

type (
	param    layout
	given    layout
	local    layout
	returned layout
	second   layout
	field    layout
	element  layout
	backing  layout
	asserted layout
	boxed    layout
	behind   layout
	argument layout
	deferred layout
	closed   layout
	method   layout
	inner    layout
	sub      layout
	mapped   layout
	value    layout
	first    layout
	other    layout
	third    layout
	fourth   layout
	replaced layout
	before   layout
	copied   layout
	written  layout
	odd      layout
	even     layout
	looped   layout
)

type holder struct {
	n     int
	field *field
}

type doer interface{ do() }

func (b *boxed) do() { b.n++ }

type pair[A, B any] struct {
	a *A
	b *B
	n int
}

type large struct {
	words [12]any
	some  any
}

var never chan int
var total int
var sink any
var mu sync.Mutex

//go:noinline
func one(n int) int { return n }

//go:noinline
func tell(at unsafe.Pointer, what string) {
	fmt.Printf("obj %#x %s\n", uintptr(at), what)
}

func told[T any](p *T) *T {
	tell(unsafe.Pointer(p), fmt.Sprintf("%T", *p))
	return p
}

//go:noinline
func ofParam(p *param, c chan int) {
	<-c
	p.n++
}

//go:noinline
func handed(p *given, c chan int) { waiting(p, c) }

//go:noinline
func waiting(p *given, c chan int) {
	<-c
	p.n++
}

//go:noinline
func ofLocal(c chan int) {
	p := &local{n: one(1)}
	tell(unsafe.Pointer(p), "main.local")
	sink = p
	sink = nil
	<-c
	p.n++
}

//go:noinline
func makes() (*returned, *second) {
	return told(&returned{}), told(&second{})
}

//go:noinline
func ofResults(c chan int) {
	p, q := makes()
	<-c
	p.n++
	q.n++
}

//go:noinline
func ofField(h *holder, c chan int) {
	p := h.field
	h.field = nil
	<-c
	p.n++
}

//go:noinline
func ofElements(some []*element, c chan int) {
	for _, p := range some {
		<-c
		p.n++
	}
}

//go:noinline
func makesSlice(n int) []backing { return make([]backing, n) }

//go:noinline
func ofSlice(c chan int) {
	some := makesSlice(one(3))
	tell(unsafe.Pointer(&some[0]), "[]main.backing")
	<-c
	some[0].n++
}

//go:noinline
func ofAny(x any, c chan int) {
	p := x.(*asserted)
	<-c
	p.n++
}

//go:noinline
func makesDoer() doer { return told(&boxed{}) }

//go:noinline
func ofInterface(c chan int) {
	p := makesDoer()
	<-c
	p.do()
}

//go:noinline
func makesCell() **behind {
	p := told(&behind{})
	return &p
}

//go:noinline
func ofCell(c chan int) {
	p := makesCell()
	<-c
	(*p).n++
}

//go:noinline
func ofDeferred(p *deferred, c chan int) {
	defer func() { p.n++ }()
	<-c
}

//go:noinline
func calls(f func()) { f() }

func runs(f func()) {
	sink = nil
	f()
}

//go:noinline
func ofClosure(c chan int) {
	p := told(&closed{})
	q := told(&inner{})
	runs(func() {
		<-c
		p.n++
		q.n++
	})
	sink = q
}

//go:noinline
func (m *method) wait(c chan int) {
	<-c
	m.n++
}

//go:noinline
func makesSub() *sub { return told(&sub{}) }

//go:noinline
func ofPart(c chan int) {
	p := &makesSub().next
	<-c
	*p = nil
}

//go:noinline
func makesMap() map[int]*mapped { return map[int]*mapped{one(1): told(&mapped{})} }

//go:noinline
func ofMap(c chan int) {
	m := makesMap()
	<-c
	m[1].n++
}

//go:noinline
func ofValue(c chan int) {
	p := map[int]*value{one(1): told(&value{})}[one(1)]
	<-c
	p.n++
}

// One body of code for all of these.
//
//go:noinline
func generic[T any](c chan int) {
	p := told(new(T))
	<-c
	fmt.Fprint(os.Stderr, p)
}

//go:noinline
func makesPair[A, B any]() *pair[A, B] { return &pair[A, B]{a: told(new(A)), b: told(new(B))} }

//go:noinline
func ofPair[A, B any](c chan int) {
	p := makesPair[A, B]()
	tell(unsafe.Pointer(p), fmt.Sprintf("%T", *p))
	<-c
	fmt.Fprint(os.Stderr, p)
}

// What follows holds another thing than what its frame's slots were first given.

//go:noinline
func replace(x *any) { *x = told(&replaced{}) }

//go:noinline
func ofReplaced(c chan int) {
	var x any = told(&before{})
	replace(&x)
	y := x
	<-c
	calls(func() { sink = y })
}

//go:noinline
func (l *large) filled() large {
	l.some = told(&copied{})
	l.words[one(3)] = told(&copied{})
	return *l
}

//go:noinline
func ofCopied(c chan int) {
	var l large
	l.some = told(&written{})
	total += one(1)
	if total > 0 {
		l = new(large).filled()
	}
	x := l.some
	<-c
	sink = x
	sink = l
}

//go:noinline
func ofWritten(c chan int, at int) {
	var some [4]any
	some[1] = told(&odd{})
	some[one(at)] = told(&even{})
	x := some[1]
	<-c
	sink = x
}

//go:noinline
func ofEither(c chan int, which bool) {
	var p unsafe.Pointer
	if which {
		p = unsafe.Pointer(told(&odd{}))
	} else {
		p = unsafe.Pointer(told(&even{}))
	}
	<-c
	*(*int)(p) = 1
}

//go:noinline
func ofLoop(c chan int) {
	p := told(&looped{})
	for i := 0; i < one(3); i++ {
		p = told(&looped{n: p.n})
	}
	<-c
	p.n++
}

func start() {
	go ofParam(told(&param{}), never)
	go handed(told(&given{}), never)
	go ofLocal(never)
	go ofResults(never)
	go ofField(&holder{field: told(&field{})}, never)
	go ofElements([]*element{told(&element{}), told(&element{})}, never)
	go ofSlice(never)
	go ofAny(told(&asserted{}), never)
	go ofInterface(never)
	go ofCell(never)
	go ofDeferred(told(&deferred{}), never)
	go ofClosure(never)
	go told(&method{}).wait(never)
	go ofPart(never)
	go ofMap(never)
	go ofValue(never)
	go generic[first](never)
	go generic[other](never)
	go ofPair[third, fourth](never)
	go ofPair[fourth, other](never)
	go ofReplaced(never)
	go ofCopied(never)
	go ofWritten(never, 1)
	go ofWritten(never, 2)
	go ofEither(never, true)
	go ofEither(never, false)
	go ofLoop(never)
}

func main() {
	start()
	time.Sleep(50 * time.Millisecond)
	runtime.GC() // what started the goroutines tells the types of their arguments
	runtime.GC()
	fmt.Println("ready")
	os.Stdin.Read(make([]byte, 1))
}
