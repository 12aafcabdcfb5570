// Slices that do not begin at their array's start, or end before its end, and pointers into values:
// how Go selects what lies behind them, each a line "way ADDRESS TEXT".
package main

import (
	"fmt"
	"runtime"
	"strings"
	"time"
)

type blob struct {
	tag  int
	data [1000]byte
	next *blob
}

type inner struct{ a, b *blob }

type outer struct {
	in   inner
	n    int
	mid  inner
	last *blob
}

type holder struct {
	n int
	s []*blob
}

type around struct {
	n    int
	a    [4]*blob
	more *blob
}

var (
	sub     []*blob
	field   = &holder{n: 1}
	boxed   any
	many    []outer
	inMap   = map[string][]*blob{}
	buffer  = make(chan []*blob, 2)
	inArray []*blob
	full    []*blob
	queues  []chan int
	popped  *[]*blob
	one     *outer
	first   *inner
	middle  *inner
	held    any
	nested  [][]*blob
	timer   *time.Timer
	called  func() int
)

func made(text string) *blob {
	b := &blob{}
	told(b, text)
	return b
}

//go:noinline
func told(b *blob, text string) {
	b.tag = len(text)
	fmt.Printf("way %p %s\n", b, text)
}

// three has elements 1 and 2 of it in the slice that it returns, which may grow by one.
//
//go:noinline
func three(name string) []*blob {
	owner := name
	if _, local, ok := strings.Cut(name, ": "); ok {
		owner = local
	}
	array := make([]*blob, 4)
	array[0] = made(name + "[-1] (before " + owner + "'s first element)")
	array[1] = made(name + "[0]")
	array[2] = made(name + "[1]")
	array[3] = made(name + "[2] (beyond the length of " + owner + ", 2)")
	return array[1:3]
}

//go:noinline
func outers(names ...string) []outer {
	array := make([]outer, len(names))
	for i, name := range names {
		array[i].mid.b = made(name)
	}
	return array
}

//go:noinline
func waiter(c chan int) { <-c }

//go:noinline
func stacked(local []*blob, c chan int) {
	<-c
	fmt.Println(local)
}

func main() {
	sub = three("main.sub")
	field.s = three("main.field.s")
	boxed = three("main.boxed")
	inMap["k"] = three(`main.inMap["k"]`)
	nested = make([][]*blob, 3)[1:]
	nested[1] = three("main.nested[1]")
	many = outers(
		"main.many[-1].mid.b (before main.many's first element)",
		"main.many[0].mid.b",
		"main.many[1].mid.b",
		"main.many[2].mid.b (beyond the length of main.many, 2)",
	)[1:3]
	one = &outers(
		"main.one[0].mid.b (outside what main.one points at)",
		"main.one.mid.b",
		"main.one[2].mid.b (outside what main.one points at)",
	)[1]
	held = &outers(
		"main.held[0].mid.b (outside what main.held points at)", "main.held.mid.b",
	)[1]

	o := &outer{last: made("main.first.last (outside what main.first points at)")}
	o.in.b = made("main.first.b")
	first = &o.in
	o = &outer{last: made("main.middle.last (outside what main.middle points at)")}
	o.in.a = made("main.middle.in.a (outside what main.middle points at)")
	o.mid.b = made("main.middle.b")
	middle = &o.mid

	queue := []*blob{
		made("main.popped[0]"),
		made("main.popped[1] (beyond the length of main.popped, 1)"),
	}
	queue = queue[:1]
	popped = &queue
	array := make([]*blob, 3)
	array[1] = made("main.full[0]")
	array[2] = made("main.full[1] (beyond the capacity of main.full, 1)")
	full = array[1:2:2]
	whole := &around{more: made("main.inArray.more (beyond the capacity of main.inArray, 3)")}
	whole.a[0] = made("main.inArray.a[0] (before main.inArray's first element)")
	whole.a[1] = made("main.inArray[0]")
	whole.a[2] = made("main.inArray[1] (beyond the length of main.inArray, 1)")
	inArray = whole.a[1:2]
	channels := []chan int{make(chan int), make(chan int), make(chan int)}
	queues = channels[1:2]
	for _, c := range channels {
		go waiter(c)
	}
	go stacked(three("main.stacked: local"), make(chan int))
	buffer <- nil
	buffer <- three("main.buffer.buf[1]")

	captured := made("main.timer.timer.arg.captured")
	timer = time.AfterFunc(time.Hour, func() { captured.tag++ })
	mine := three("main.called.mine")
	called = func() int { return mine[0].tag }
	runtime.GC()
	fmt.Println("ready")
	time.Sleep(time.Hour)
}
