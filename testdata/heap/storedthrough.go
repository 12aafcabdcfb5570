// Package-level variables that are filled through pointers to them: by loops that begin at one, by
// functions that are handed one, by generic code. All types are of one layout, so that nothing else
// tells them apart. The last ones are traps: an unsafe.Pointer may hold anything.
package main

import (
	"fmt"
	"os"
	"runtime"
	"sync/atomic"
	"time"
	"unsafe"
)

type layout struct {
	left, right unsafe.Pointer
	n           int
	more        *int
}

type (
	apple  layout
	pear   layout
	plum   layout
	cherry layout
	quince layout
	medlar layout
)

//go:noinline
func tell(at unsafe.Pointer, what string) {
	fmt.Printf("obj %#x %s\n", uintptr(at), what)
}

type node struct {
	left, right *node
	key         int
	more        *int
}

type branch struct {
	left, right *branch
	key         int
	more        *int
}

type link[T any] struct {
	next  *link[T]
	value T
	more  [2]*int
}

type list[T any] struct {
	head *link[T]
	n    int
}

type pair struct {
	n     int
	first *plum
	other *cherry
}

var (
	root    *node
	tree    *branch
	byCall  *apple
	byType  *pear
	ofTwo   pair
	apples  list[apple]
	chosen  *quince
	spare   *quince
	raw     unsafe.Pointer
	mixed   unsafe.Pointer
	turned  unsafe.Pointer
	direct  unsafe.Pointer
	swapped atomic.Pointer[quince]
)

//go:noinline
func insert(at **node, key int) {
	for *at != nil {
		if key < (*at).key {
			at = &(*at).left
		} else {
			at = &(*at).right
		}
	}
	*at = &node{key: key}
	tell(unsafe.Pointer(*at), "main.node")
}

func grow(key int) {
	at := &tree
	for *at != nil {
		if key < (*at).key {
			at = &(*at).left
		} else {
			at = &(*at).right
		}
	}
	*at = &branch{key: key}
	tell(unsafe.Pointer(*at), "main.branch")
}

//go:noinline
func put(at **apple, n int) { *at = &apple{n: n} }

//go:noinline
func set[T any](at *T, value T) { *at = value }

//go:noinline
func fill(p *pair) {
	p.other = &cherry{n: 1}
	p.first = &plum{n: 2}
}

//go:noinline
func (l *list[T]) push(value T) {
	l.head = &link[T]{next: l.head, value: value}
	l.n++
	tell(unsafe.Pointer(l.head), fmt.Sprintf("main.link[%T]", value))
}

func choose(n int) {
	at := &spare
	if n > 0 {
		at = &chosen
	}
	*at = &quince{n: n}
	tell(unsafe.Pointer(*at), "main.quince")
}

//go:noinline
func setRaw(at *unsafe.Pointer, to unsafe.Pointer) { *at = to }

//go:noinline
func setMedlar(at *unsafe.Pointer) { *at = unsafe.Pointer(&medlar{n: 3}) }

func main() {
	for i := 0; i < 9; i++ {
		insert(&root, i*5%9)
		grow(i * 5 % 9)
	}
	put(&byCall, len(os.Args))
	tell(unsafe.Pointer(byCall), "main.apple")
	set(&byType, &pear{n: len(os.Args)})
	tell(unsafe.Pointer(byType), "main.pear")
	fill(&ofTwo)
	tell(unsafe.Pointer(ofTwo.first), "main.plum")
	tell(unsafe.Pointer(ofTwo.other), "main.cherry")
	apples.push(apple{n: 1})
	apples.push(apple{n: 2})
	choose(len(os.Args))
	choose(len(os.Args) - 1)
	setRaw(&raw, unsafe.Pointer(&medlar{n: 1}))
	setRaw(&raw, unsafe.Pointer(&plum{n: 1}))
	tell(raw, "main.plum")
	setMedlar(&mixed)
	mixed = unsafe.Pointer(&pear{n: 5})
	tell(mixed, "main.pear")
	setMedlar(&turned)
	atomic.StorePointer(&turned, unsafe.Pointer(&cherry{n: 5}))
	tell(turned, "main.cherry")
	direct = unsafe.Pointer(&medlar{n: len(os.Args)})
	atomic.SwapPointer(&direct, unsafe.Pointer(&cherry{n: 6}))
	tell(direct, "main.cherry")
	swapped.Store(&quince{n: 7})
	tell(unsafe.Pointer(swapped.Load()), "main.quince")
	time.Sleep(time.Millisecond)
	runtime.GC()
	runtime.GC()
	fmt.Println("ready")
	os.Stdin.Read(make([]byte, 1))
}
