// Pointers that nothing uses any more: the runtime neither keeps what they lead to nor adjusts them
// when the stack moves.
package main

import (
	"runtime"
	"unsafe"
)

type node struct {
	n    int
	next *node
}

type pair struct {
	left  *node
	label string
	n     int
}

var held []any

//go:noinline
func see(x ...any) int {
	held = x
	held = nil
	return len(x)
}

//go:noinline
func stop(n int) {}

//go:noinline
func deep(n int) int {
	var room [512]int
	room[n&511] = n
	if n > 0 {
		return deep(n-1) + room[n&511]
	}
	return 0
}

// collect has what nothing keeps freed, and its memory used again.
//
//go:noinline
func collect() {
	for i := 0; i < 3; i++ {
		runtime.GC()
	}
	for i := 0; i < 20000; i++ {
		held = append(held, &node{n: 666}, &pair{nil, "no", 666}, make([]int, 3), "other"+string(rune('a'+i%26)))
	}
}

//go:noinline
func use(p *int, s []int, q *pair, i any, f func() int) int {
	return *p + len(s) + q.n + f() + len(i.(*pair).label)
}

// moved has pointers into its own frame.
func moved() {
	local, later := 7, 8
	array := [4]int{1, 2, 3, 4}
	own := pair{nil, "own", 5}
	at, kept := &local, &later
	list := array[1:3]
	one := &own
	two := [2]*int{&local, &array[1]}
	var face any = &own
	count := func() int { local++; return local }
	println(use(at, list, one, face, count) + *two[0])
	stop(1)
	deep(60)
	stop(2)
	println(*kept, local, later, array[0], own.n)
	stop(3)
}

// freed has pointers to what it has on the heap.
func freed(letters []byte) {
	first := &node{1, &node{2, nil}}
	text := string(letters) + "!"
	list := append([]int{}, 4, 5, len(letters))
	table := map[string]int{text: 6}
	queue := make(chan int, 2)
	queue <- 7
	both := pair{first, text, 8}
	var face any = &both
	total := 9
	add := func() int { total++; return total }
	see(first, text, list, table, queue, both, face, add)
	last := &node{3, nil}
	var many [80]*node
	for i := range many {
		many[i] = &node{i, nil}
	}
	see(many[70])
	stop(4)
	collect()
	stop(5)
	println(last.n)
}

// broken faults: it goes on at its deferred call, with little of its own.
func broken(none *node) (out int) {
	local := 7
	at := &local
	first := &node{1, nil}
	defer func() {
		recover()
		deep(60)
		collect()
		stop(6)
		out = 3
	}()
	out = *at + see(first)
	return out + none.n
}

// carried has a parameter that was moved to the heap, whose address it needs no more.
//
//go:noinline
func carried(x pair) {
	done := make(chan int)
	go func() { x.n = 10; done <- x.n }()
	<-done
	collect()
	stop(7)
}

//go:noinline
func hold(p *node, text string) {
	collect()
	stop(8)
	println(p.n, text)
}

// passing needs no more what it passes on, which is in use there.
func passing(letters []byte) {
	first, text := &node{4, nil}, string(letters)
	see(first, text)
	hold(first, text)
}

// reused passes on what lies where something was that it needed before.
func reused() {
	first := &node{1, nil}
	was := uintptr(unsafe.Pointer(first))
	runtime.GC()
	runtime.GC()
	last := &node{5, nil}
	for i := 0; i < 100000 && uintptr(unsafe.Pointer(last)) != was; i++ {
		last = &node{5, nil}
		held = append(held, last)
	}
	hold(last, "")
}

// later is called after the last collection; what it needs no more nothing has freed since.
//
//go:noinline
func later(letters []byte) {
	first, text := &node{6, nil}, string(letters)
	see(first, text)
	stop(10)
	stop(11)
}

func after() {
	stop(9)
	later([]byte("uvw"))
}

func main() {
	done := make(chan int)
	for _, f := range []func(){moved, func() { freed([]byte("abc")) }, func() { println(broken(nil)) }, func() { carried(pair{nil, "c", 1}) },
		func() { passing([]byte("xyz")) }, reused, after} {
		go func() { f(); done <- 1 }()
		<-done
	}
}
