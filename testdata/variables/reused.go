package main

import "fmt"

// What is told of an optimised variable whose place may hold something else by now. At each call
// of stop the test knows the values.

type three [3]string

type pair struct{ a, b int }

type node struct {
	name string
	next *node
}

var sink any

//go:noinline
func stop(n int) { fmt.Println("stop", n) }

//go:noinline
func keep(x any) { sink = x }

//go:noinline
func yes() bool { return sink == nil || sink != 1 }

//go:noinline
func threeOf(n int) three { stop(n); return three{fmt.Sprint(n), "b", "c"} }

// Places of variables that nothing reads any more are given to others.
//
//go:noinline
func merged() int {
	x := threeOf(1)
	n := len(x[0]) + len(x[1])
	y := threeOf(2)
	n += len(y[0])
	z := threeOf(3)
	return n + len(z[2])
}

func (t three) more(n int) three { stop(n); return three{t[0], fmt.Sprint(n), "d"} }

func (t *three) put(text string) { t[1] = text }

// A method's call may change what it is called on; what its line writes itself is its result.
//
//go:noinline
func methods() int {
	x := threeOf(16)
	x.put("e")
	stop(17)
	y := x.more(18)
	stop(19)
	n := len(y[0])
	z := y.more(20)
	stop(21)
	return n + len(z[1])
}

// Registers of what is passed and never used are not kept where the stack has to grow.
//
//go:noinline
func unused(a int, b uint64, c string, d float64, e []int) int {
	var room [6000]byte
	fill(&room)
	return int(room[100])
}

//go:noinline
func fill(room *[6000]byte) { room[100] = 4; stop(4) }

// What is assigned later may be reckoned later, and saved where the older value was.
//
//go:noinline
func later() {
	k := uint32(4)
	if yes() {
		k++
	}
	for i := 0; i < 3; i++ {
		k = k - (k | 49)
		stop(5)
		keep(k)
	}
}

// What is assigned and never read has no code.
//
//go:noinline
func never(a int, b int) int {
	if b > 3 {
		stop(6)
		a--
	}
	b *= 16
	stop(7)
	return 1
}

// A value that is there from the beginning is not the variable's before it is assigned.
//
//go:noinline
func early(r *node, k node) int {
	for i := 0; i < 2; i++ {
		stop(8)
	}
	if k.next == nil {
		r = &k
		k.next = r
	}
	keep(r)
	return len(r.name)
}

// Of what is passed in memory one word alone may have a place.
//
//go:noinline
func passed(a int, b [2]any, c struct {
	x any
	y []int
	z *int
}, d []uint64, e []uint32, f float64) int {
	stop(9)
	keep(c)
	stop(10)
	return len(d)
}

// A closure's own variable and what it captured may stand under one line.
//
//go:noinline
func twice(n int) {
	defer func(x pair) {
		keep(x)
		n := n; keep(n)
		n *= 2
		stop(11)
		keep(n)
	}(pair{n, 2})
	stop(12)
}

// A part that the compiler took out of a struct has a name that the source has not.
//
//go:noinline
func parts(n struct {
	x struct{}
	y int
	z [0]int
}) int {
	m := n
	m.y++
	stop(13)
	return m.y
}

// What a closure captured may stand under the line of its own variable of that name, which has no
// place of its own.
//
//go:noinline
func captures(word string, n int) {
	defer func() {
		stop(14)
		word, n := word+word, float64(n)+0.5
		_, _ = word, n
		stop(15)
	}()
	stop(16)
}

// One place for two variables of one value, in which the next value of the one is put early.
//
//go:noinline
func again(y [3]int) int {
	n := 0
turn:
	{
		x := n
		keep(y)
		show := func() { stop(22) }
		keep(x)
		show()
	}
	n++
	if n < 3 {
		goto turn
	}
	return n
}

func main() {
	captures("ab", 7)
	again([3]int{4, 5, 6})
	merged()
	methods()
	done := make(chan int)
	go func() {
		unused(40, 41, "forty", 4.5, []int{4, 5})
		unused(42, 43, "two", 4.25, []int{6, 7, 8})
		close(done)
	}()
	<-done
	later()
	never(49, 5)
	early(&node{name: "first"}, node{name: "second"})
	passed(1, [2]any{1, "x"}, struct {
		x any
		y []int
		z *int
	}{2, []int{3}, nil}, []uint64{7}, nil, 1.5)
	twice(21)
	parts(struct {
		x struct{}
		y int
		z [0]int
	}{y: 5})
}
