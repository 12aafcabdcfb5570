// Interfaces of which the optimiser keeps the data word alone: the debug information gives its place
// as the whole interface's, and the word behind it is another variable.
package main

import (
	"fmt"
	"os"
	"runtime"
	"time"
	"unsafe"
)

type shape interface{ area() int }

type small struct {
	next *small
	n    int
}

// Its second word is the descriptor of a type, as an itab's is.
type table struct {
	n    int
	v    any
	more [9]int
}

type other struct {
	next *other
	more [30]int
}

func (t *table) area() int { return t.n }
func (o *other) area() int { return 2 }

var never chan int
var total int

//go:noinline
func tell(at unsafe.Pointer, what string) { fmt.Printf("obj %#x %s\n", uintptr(at), what) }

//go:noinline
func first(n int) *table { return &table{n: n, v: small{n: n}} }

//go:noinline
func second(n int) *other { return &other{more: [30]int{n}} }

//go:noinline
func wait(n int) {
	t, o := first(n), second(n)
	tell(unsafe.Pointer(t), "main.table")
	tell(unsafe.Pointer(o), "main.other")
	var held shape = t
	<-never
	total += held.area()
	runtime.KeepAlive(held)
	runtime.KeepAlive(o)
}

//go:noinline
func waitToo(n int) {
	o := second(n)
	t := first(n)
	tell(unsafe.Pointer(t), "main.table")
	tell(unsafe.Pointer(o), "main.other")
	var held, also shape = t, o
	<-never
	total += held.area() + also.area()
	runtime.KeepAlive(also)
	runtime.KeepAlive(held)
}

func main() {
	go wait(1)
	go waitToo(2)
	time.Sleep(20 * time.Millisecond)
	fmt.Println("ready")
	os.Stdin.Read(make([]byte, 1))
}
