// Goroutines that wait with variables in their frames that others get the address of: maps, above
// all. All types are of one layout. Variables that are never alive together may share a place.
package main

import (
	"fmt"
	"os"
	"runtime"
	"time"
	"unsafe"
)

type (
	apple struct {
		p, q *int
		n    [2]int
	}
	pear struct {
		p, q *int
		n    [2]int
	}
	plum struct {
		p, q *int
		n    [2]int
	}
	cherry struct {
		p, q *int
		n    [2]int
	}
	quince struct {
		p, q *int
		n    [2]int
	}
	medlar struct {
		p, q *int
		n    [2]int
	}
)

type record struct {
	a, b int
	p    **medlar
	c, d int
	e    int
}

var never chan int
var total int

//go:noinline
func one(n int) int { return n }

//go:noinline
func tell(at unsafe.Pointer, what string) {
	fmt.Printf("obj %#x %s\n", uintptr(at), what)
}

//go:noinline
func makes[T any]() *T {
	p := new(T)
	tell(unsafe.Pointer(p), fmt.Sprintf("%T", *p))
	return p
}

//go:noinline
func ofMap(c chan int) {
	m := make(map[int]*apple)
	for i := 0; i < one(12); i++ {
		m[i] = makes[apple]()
	}
	<-c
	total += len(m) + m[one(1)].n[0]
}

//go:noinline
func ofMaps(c chan int, which int) {
	if which == 0 {
		m := make(map[int]*pear)
		for i := 0; i < one(12); i++ {
			m[i] = makes[pear]()
		}
		<-c
		total += m[one(1)].n[0]
	} else {
		m := make(map[int]*plum)
		for i := 0; i < one(12); i++ {
			m[i] = makes[plum]()
		}
		<-c
		total += m[one(1)].n[0]
	}
}

//go:noinline
func fill(m map[int]*quince) {
	for i := 0; i < one(12); i++ {
		m[i] = makes[quince]()
	}
}

//go:noinline
func set(r *record) {
	p := makes[medlar]()
	r.p = &p
}

var shared = &record{e: 1}

//go:noinline
func sum(r record) { total += r.a + r.e }

//go:noinline
func cell() **medlar {
	p := makes[medlar]()
	return &p
}

// The place is given to others who say nothing of what they take.
//
//go:noinline
func ofShared(c chan int, which int) {
	switch which {
	case 0:
		m := make(map[int]*cherry)
		for i := 0; i < one(12); i++ {
			m[i] = makes[cherry]()
		}
		<-c
		total += m[one(1)].n[0]
	case 1:
		m := make(map[int]*quince)
		fill(m)
		<-c
		total += len(m)
	case 3:
		var r record // which is copied, and filled in place
		r = *shared
		r.p = cell()
		sum(r)
		<-c
		total += (*r.p).n[0] + r.e
	case 2:
		var r record
		set(&r)
		<-c
		total += (*r.p).n[0]
	}
}

func main() {
	go ofMap(never)
	go ofMaps(never, 0)
	go ofMaps(never, 1)
	go ofShared(never, 0)
	go ofShared(never, 1)
	go ofShared(never, 2)
	go ofShared(never, 3)
	time.Sleep(50 * time.Millisecond)
	runtime.GC()
	runtime.GC()
	fmt.Println("ready")
	os.Stdin.Read(make([]byte, 1))
}
