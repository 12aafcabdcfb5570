// Goroutines that wait in a call, and hold objects by variables that were in registers before it.
package main

import (
	"fmt"
	"os"
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

type holder struct {
	n    int
	page *page
}

var never chan int
var total int

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
	go panicking(1, made(5))
	time.Sleep(20 * time.Millisecond)
	fmt.Println("ready")
	os.Stdin.Read(make([]byte, 1))
}
