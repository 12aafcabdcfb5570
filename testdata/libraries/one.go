// Package main is a Go program in a library: built as c-shared, or as a c-archive. A C program asks
// it by index where it put things.
package main

import "C"

import "unsafe"

type node struct {
	next *node
	id   [3]int
}

var (
	number = 42
	list   *node
)

//go:noinline
func known(n int) int { return n + number }

//export Address_one
func Address_one(index int) uintptr {
	switch index {
	case 0: // text
		f := known
		return *(*uintptr)(*(*unsafe.Pointer)(unsafe.Pointer(&f)))
	case 1: // data
		return uintptr(unsafe.Pointer(&number))
	case 2: // heap
		for i := 0; i < 1000; i++ {
			list = &node{next: list}
		}
		go func() { select {} }()
		return uintptr(unsafe.Pointer(list))
	}
	return 0
}

func main() {}
