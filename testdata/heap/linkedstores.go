// Variables that point at others, which nothing but that names: what is filled through them. All
// types are of one layout, so that nothing else tells them apart. The last ones are traps: what an
// interface holds may be of another type by now.
package main

import (
	"fmt"
	"os"
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
)

//go:noinline
func tell(at unsafe.Pointer, what string) {
	fmt.Printf("obj %#x %s\n", uintptr(at), what)
}

type basket struct {
	n      int
	apples *apple
	pears  [4]*pear
}

type node struct {
	next *node
	of   *plum
	more [2]int
}

type list struct {
	head *node
	n    int
}

func (l *list) add(of *plum) {
	l.head = &node{next: l.head, of: of}
	l.n++
}

type crate struct{ p *cherry }
type chest struct{ p *quince }

var (
	market       = &basket{n: 1}
	plums        = &list{}
	crates       = &crate{}
	stored   any = crates
	emptied  any
	switched any = &crate{}
	chests   [1]chest
	anything = unsafe.Pointer(&crate{})
	boxes    [1]chest
)

//go:noinline
func fill(i int) {
	market.apples = &apple{n: i}
	market.pears[i] = &pear{n: i}
}

//go:noinline
func fillStored() {
	if c, ok := stored.(*crate); ok {
		c.p = &cherry{n: 1}
	}
}

//go:noinline
func fillSwitched() {
	if c, ok := switched.(*crate); ok {
		c.p = &cherry{n: 2}
	}
}

//go:noinline
func fillAnything() { (*crate)(anything).p = &cherry{n: 4} }

// By a copy, of which the code does not say where it goes.
//
//go:noinline
func move(to, from []chest) { copy(to, from) }

func main() {
	fill(1)
	fill(3)
	for i := 0; i < 5; i++ {
		plums.add(&plum{n: i})
	}
	fillStored()
	fillSwitched()
	emptied = switched
	switched = &chests[0]
	move(chests[:], []chest{{&quince{n: 3}}})
	fillAnything()
	anything = unsafe.Pointer(&boxes[0])
	move(boxes[:], []chest{{&quince{n: 5}}})

	tell(unsafe.Pointer(market.apples), "main.apple")
	tell(unsafe.Pointer(market.pears[1]), "main.pear")
	tell(unsafe.Pointer(market.pears[3]), "main.pear")
	for at := plums.head; at != nil; at = at.next {
		tell(unsafe.Pointer(at), "main.node")
		tell(unsafe.Pointer(at.of), "main.plum")
	}
	tell(unsafe.Pointer(chests[0].p), "main.quince")
	tell(unsafe.Pointer(boxes[0].p), "main.quince")
	tell(unsafe.Pointer(crates.p), "main.cherry")
	fmt.Println("ready")
	var rest [1]byte
	os.Stdin.Read(rest[:])
	fmt.Println(emptied)
}
