// Package-level variables that point at static memory without a name, which alone leads to objects
// of the heap. For each object the program prints its address, type and the path to it.
package main

import (
	"fmt"
	"os"
	"unsafe"
)

type item struct {
	number int
	next   *item
}

type queue []*item

type cache[K comparable, V any] struct {
	entries map[K]V
	head    *item
	inner   *cache[K, V]
}

type keeper interface{ keep(*item) }

type shelf struct {
	label string
	items [3]*item
}

func (s *shelf) keep(i *item) { s.items[2] = i }

var (
	pending        = &queue{}
	first          = &item{number: 1, next: &item{number: 2}}
	nested         = &cache[string, int]{inner: &cache[string, int]{}}
	table          = []*item{{number: 3}, {number: 4}}
	values         = []item{{number: 5}, {number: 6}}
	held    keeper = &shelf{label: "a"}
	boxed   any    = &shelf{label: "b"}
)

func say(path, what string, pointer unsafe.Pointer) {
	fmt.Printf("obj %#x %s %s\n", uintptr(pointer), path, what)
}

func fresh(path string) *item {
	i := &item{number: len(os.Args)}
	say(path, "main.item", unsafe.Pointer(i))
	return i
}

func main() {
	*pending = append(*pending, nil, fresh("main.pending[1]"))
	first.next.next = fresh("main.first.next.next")
	nested.inner.head = fresh("main.nested.inner.head")
	table[1].next = fresh("main.table[1].next")
	values[1].next = fresh("main.values[1].next")
	held.keep(fresh("main.held.items[2]"))
	boxed.(*shelf).items[0] = fresh("main.boxed.items[0]")
	fmt.Println("ready")
	os.Stdin.Read(make([]byte, 1))
}
