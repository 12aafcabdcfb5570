// Package variables: in .data, .bss and their twins without pointers, and read-only data.
//
// builds: debug pie
package main

import "unsafe"

var (
	number   = 42                      // .noptrdata
	text     = "initialised"           // .data: the header has a pointer
	zero     int                       // .noptrbss
	pointer  *int                      // .bss
	table    = [3]uint8{1, 2, 3}       // .noptrdata
	list     = []int{4, 5}             // .data, its array in .noptrdata
	names    = []string{"a", "b"}      // .data, its array in .data
	buffer   [1 << 16]byte             // .noptrbss
	cache    map[string]int            // .bss
	computed = len(text) * 2           // .noptrbss: set by init
	empty    struct{}                  // no bytes at all
	linked   = &node{1, &node{2, nil}} // both nodes in .data
)

type node struct {
	Val  int
	Next *node
}

func main() {
	pointer = &number
	cache = map[string]int{"k": 1}
	p1, p2, p3, p4 := &number, &text, &zero, &pointer
	p5, p6, p7, p8 := &table, &list, &buffer, &cache
	p9 := &computed
	items, words, chain := list, names, linked
	code := main
	bytes := unsafe.StringData(text)
	mid := &buffer[1000]
	println("settle", (*int)(nil)) // the stack grows here, not later
	println("at number", &number)
	println("at buffer", &buffer)
	println("at pointer", &pointer)
	println("at text", &text)
	println("at p8.data", p8)
	println("stop") // stop
	// want: p1 data=data data.section=.noptrdata data.symbol=main.number text=42 data.printed=number
	// want: p2 data=data data.section=.data data.symbol=main.text data.printed=text
	// want: p3 data=bss data.section=.noptrbss data.symbol=main.zero text=0
	// want: p4 data=bss data.section=.bss data.symbol=main.pointer data.printed=pointer
	// want: p5 data=data data.section=.noptrdata data.symbol=main.table
	// want: p6 data=data data.section=.data data.symbol=main.list
	// want: p7 data=bss data.section=.noptrbss data.symbol=main.buffer data.printed=buffer
	// want: p8 data=bss data.section=.bss data.symbol=main.cache data.printed=p8.data
	// want: p9 data=bss data.section=.noptrbss data.symbol=main.computed text=22
	// want: items data=data data.section=.noptrdata value="[4 5]"
	// want: words data=data data.section=.data value=`["a" "b"]`
	// want: chain data=data data.section=.data
	// want: chain.Next.Val value=2
	// want: code value=main.main
	// want: bytes data=rodata data.section=.rodata
	// want: mid data=bss data.symbol=main.buffer+0x3e8
	func() { // uses them: a dead variable would keep a stale pointer when the stack moves
		_, _, _, _, _, _, _, _, _ = p1, p2, p3, p4, p5, p6, p7, p8, p9
		_, _, _, _, _, _ = items, words, chain, code, bytes, mid
		_ = empty
	}()
}
