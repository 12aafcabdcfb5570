// Objects that only type descriptors describe, in a program without debug information: what maps,
// channels and atomic pointers lead to. For each it prints its address and its type; then it stands.
package main

import (
	"fmt"
	"os"
	"sync/atomic"
	"unsafe"
)

type item struct {
	name string
	next *item
	size [5]int
}

type wide struct {
	of    *item
	bytes [200]byte
}

// Over 512 bytes: such an object's header carries its type.
type holder struct {
	small     map[string]*item
	large     map[int]*item
	boxed     map[wide]*wide // larger than a map holds itself
	flat      map[int32][24]byte
	inner     map[string]map[string]*item
	channel   chan *item
	structs   chan struct{ a, b *item }
	pointer   atomic.Pointer[item]
	values    map[string]any
	functions map[string]func() int
	room      [600]byte
}

var held []*holder

func say(what string, pointer unsafe.Pointer) {
	fmt.Fprintf(os.Stdout, "obj %#x %s\n", uintptr(pointer), what)
}

func newItem(name string) *item {
	it := &item{name: name, next: &item{name: name + "'"}}
	say("main.item", unsafe.Pointer(it))
	say("main.item", unsafe.Pointer(it.next))
	return it
}

func header[M any](m M) unsafe.Pointer { return *(*unsafe.Pointer)(unsafe.Pointer(&m)) }

func main() {
	h := &holder{
		small: map[string]*item{}, large: map[int]*item{}, boxed: map[wide]*wide{},
		flat: map[int32][24]byte{}, inner: map[string]map[string]*item{},
		channel: make(chan *item, 5), structs: make(chan struct{ a, b *item }, 3),
		values: map[string]any{}, functions: map[string]func() int{},
	}
	held = append(held, h)
	for i := range 3 {
		h.small[fmt.Sprint(i)] = newItem("small")
		h.inner[fmt.Sprint(i)] = map[string]*item{"x": newItem("inner")}
		h.channel <- newItem("sent")
		h.structs <- struct{ a, b *item }{newItem("a"), newItem("b")}
		h.values[fmt.Sprint(i)] = newItem("any")
		n := newItem("captured")
		h.functions[fmt.Sprint(i)] = func() int { return len(n.name) }
		value := &wide{of: newItem("wide")}
		say("main.wide", unsafe.Pointer(value))
		h.boxed[wide{of: newItem("key"), bytes: [200]byte{byte(i)}}] = value
	}
	for i := range 3000 {
		h.flat[int32(i)] = [24]byte{1}
		if i%500 == 0 {
			h.large[i] = newItem("large")
		} else {
			h.large[i] = &item{}
		}
	}
	h.pointer.Store(newItem("atomic"))
	say("map[string]*main.item", header(h.small))
	say("map[int]*main.item", header(h.large))
	say("map[main.wide]*main.wide", header(h.boxed))
	say("map[int32][24]uint8", header(h.flat))
	say("map[string]map[string]*main.item", header(h.inner))
	say("chan *main.item", header(h.channel))
	say("main.holder", unsafe.Pointer(h))
	fmt.Println("ready")
	os.Stdin.Read(make([]byte, 1))
	fmt.Println(len(held), len(h.room))
}
