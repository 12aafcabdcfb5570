// Generic containers, of several types of one shape each: their code is the same, and calls all of
// them by the shape. Which they are only dictionaries tell.
package main

import (
	"fmt"
	"os"
	"runtime"
	"time"
	"unsafe"
)

type layout struct {
	n    int
	next *int
	more [2]int
}

type (
	apple  layout
	pear   layout
	plum   layout
	cherry layout
)

//go:noinline
func tell(at unsafe.Pointer, what string) {
	fmt.Printf("obj %#x %s\n", uintptr(at), what)
}

//go:noinline
func told[T any](p *T) *T {
	tell(unsafe.Pointer(p), fmt.Sprintf("%T", *p))
	return p
}

type link[T any] struct {
	value T
	next  *link[T]
}

type stack[T any] struct {
	top *link[T]
	n   int
}

//go:noinline
func (s *stack[T]) push(value T) {
	s.top = told(&link[T]{value, s.top})
	s.n++
}

type branch[K, V any] struct {
	key         K
	value       V
	left, right *branch[K, V]
}

type tree[K, V any] struct {
	root *branch[K, V]
	less func(a, b K) bool
	n    int
}

//go:noinline
func (t *tree[K, V]) put(key K, value V) {
	at := &t.root
	for *at != nil {
		if t.less(key, (*at).key) {
			at = &(*at).left
		} else {
			at = &(*at).right
		}
	}
	*at = told(&branch[K, V]{key: key, value: value})
	t.n++
}

// Two types of one shape in one dictionary.
type both[A, B any] struct {
	a, b any
	mine *A
	n    int
	his  *B
}

//go:noinline
func (b *both[A, B]) fill() {
	b.mine, b.his = told(new(A)), told(new(B))
	other := &both[B, A]{}
	other.mine, other.his = told(new(B)), told(new(A))
	b.a = told(other)
	b.n++
}

type ring[T any] struct {
	items []T
	first int
}

//go:noinline
func (r *ring[T]) add(value T) {
	r.items = append(r.items, value)
}

//go:noinline
func made[A, B any](c chan int) {
	p := &both[A, B]{n: len(c)}
	tell(unsafe.Pointer(p), fmt.Sprintf("%T", *p))
	<-c
	fmt.Fprint(os.Stderr, p)
}

//go:noinline
func fresh[T any]() *T { return told(new(T)) }

//go:noinline
func holds[T any](c chan int) {
	p := fresh[T]()
	<-c
	fmt.Fprint(os.Stderr, p)
}

var never chan int
var apples stack[*apple]
var pears stack[*pear]
var plums = &stack[*plum]{}
var byNumber tree[int, *apple]
var byWord tree[int, *pear]
var mixed both[apple, pear]
var turned both[pear, apple]
var lone both[plum, cherry]
var rung ring[*plum]
var other ring[*cherry]

func less(a, b int) bool { return a < b }

func main() {
	byNumber.less, byWord.less = less, less
	for i := 0; i < 3; i++ {
		apples.push(told(&apple{n: i}))
		pears.push(told(&pear{n: i}))
		plums.push(told(&plum{n: i}))
		byNumber.put(i*5%3, told(&apple{n: i}))
		byWord.put(i*5%3, told(&pear{n: i}))
		rung.add(told(&plum{n: i}))
		other.add(told(&cherry{n: i}))
	}
	mixed.fill()
	turned.fill()
	lone.fill()
	go made[apple, pear](never)
	go made[pear, apple](never)
	go made[plum, cherry](never)
	go holds[apple](never)
	go holds[cherry](never)
	time.Sleep(50 * time.Millisecond)
	runtime.GC()
	runtime.GC()
	fmt.Println("ready")
	os.Stdin.Read(make([]byte, 1))
}
