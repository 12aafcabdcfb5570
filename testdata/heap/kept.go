// What is kept by one root alone, by several together, and by roots that mean the same.
package main

import (
	"fmt"
	"os"
	"runtime"
)

type alone struct{ bytes [1000]byte }

type shared struct {
	next  *shared
	bytes [1000]byte
}

type both struct{ bytes [2000]byte }

type held struct{ bytes [3000]byte }

type leaf struct{ bytes [500]byte }

type left struct{ leaf *leaf }

type right struct{ leaf *leaf }

type pair struct {
	left  *left
	right *right
}

var (
	first, second, third *shared
	only                 *alone
	pairs                *pair
	ready, never         = make(chan bool), make(chan bool)
)

//go:noinline
func worker(own *held, together *both) {
	ready <- true
	<-never
	runtime.KeepAlive(own)
	runtime.KeepAlive(together)
}

func chain(count int) *shared {
	var head *shared
	for i := 0; i < count; i++ {
		head = &shared{next: head}
	}
	return head
}

func main() {
	only = &alone{}
	first = chain(10)
	second = first.next.next
	third = second
	together := &both{}
	for i := 0; i < 5; i++ {
		go worker(&held{}, together)
	}
	for i := 0; i < 5; i++ {
		<-ready
	}
	common := &leaf{}
	pairs = &pair{&left{common}, &right{common}}
	fmt.Printf("shared %p\nboth %p\nleaf %p\n", second, together, common)
	together, common = nil, nil
	runtime.GC()
	fmt.Println("ready")
	os.Stdin.Read(make([]byte, 1))
}
