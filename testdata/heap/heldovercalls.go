// Goroutines that wait in a call, and hold objects by variables that were in registers before it.
package main

import (
	"fmt"
	"os"
	"runtime"
	"sync"
	"time"
	"unsafe"
)

type page struct {
	n    int
	next *page
}

type row struct {
	n    int
	next *row
}

// Nothing but the types of pointers to them tells these two apart.
type guarded struct {
	n    int
	next *int
	more [2]int
}

type open struct {
	n    int
	next *int
	more [2]int
}

type holder struct {
	n    int
	page *page
}

var never chan int
var total int
var mu sync.Mutex
var kept any

//go:noinline
func one(n int) int { return n }

//go:noinline
func tell(at unsafe.Pointer, what string) { fmt.Printf("obj %#x %s\n", uintptr(at), what) }

//go:noinline
func made(n int) *page {
	p := &page{n: n}
	tell(unsafe.Pointer(p), "main.page")
	return p
}

func captured() {
	p, c := made(1), never
	go func() {
		<-c
		p.n++
	}()
}

//go:noinline
func ofField(h *holder, c chan int) {
	p := h.page
	h.page = nil
	<-c
	p.n++
}

//go:noinline
func loop(pages []*page, c chan int) {
	for _, p := range pages {
		<-c
		p.n++
	}
}

//go:noinline
func asserted(x any, c chan int) {
	<-c
	if p, ok := x.(*page); ok {
		p.n++
	}
}

// The mutex's Lock is inlined: the parameter is saved where that has to wait.
//
//go:noinline
func locking(p *guarded, c chan int) {
	mu.Lock()
	p.n++
	mu.Unlock()
}

// What waits here is a deferred call, in a panic.
//
//go:noinline
func panicking(n int, p *page) {
	defer func() {
		<-never
		recover()
	}()
	if n > one(0) {
		panic(p)
	}
	r := &row{n: one(n)}
	tell(unsafe.Pointer(r), "main.row")
	one(r.n)
	total += r.n
}

func main() {
	captured()
	go ofField(&holder{page: made(2)}, never)
	go loop([]*page{made(3)}, never)
	go asserted(made(4), never)
	mu.Lock()
	g := &guarded{}
	kept = &open{}
	tell(unsafe.Pointer(g), "main.guarded")
	go locking(g, never)
	go panicking(1, made(5))
	time.Sleep(20 * time.Millisecond)
	runtime.GC() // what started the goroutines tells the types of their arguments
	runtime.GC()
	fmt.Println("ready")
	os.Stdin.Read(make([]byte, 1))
}
