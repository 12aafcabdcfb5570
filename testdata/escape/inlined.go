// What is inlined allocates where it is inlined.
package main

import "strings"

type point struct{ x, y int }

var (
	keep  *point
	sinkS string
	sink  any
	total int
	text  = "a b c"
)

func newPoint(x, y int) *point {
	return &point{x, y} // want: dead
}

func newViaNew(x int) *point {
	return newPoint(x, x) // want: dead
}

//go:noinline
func escaping(i int) {
	keep = newPoint(i, 1) // want: confirmed_heap 3
}

//go:noinline
func local(i int) int {
	return use(newPoint(i, 2)) // want: confirmed_stack 3
}

//go:noinline
func use(p *point) int { return p.x + p.y }

//go:noinline
func twice(i int) int {
	keep = newViaNew(i) // want: confirmed_heap 3
	return use(newViaNew(i + 1)) // want: confirmed_stack 3
}

//go:noinline
func both(i int) {
	a, b := newPoint(i, 3), newPoint(i, 4) // want: confirmed_heap 3; confirmed_stack 3
	keep = a
	total += use(b)
}

func withBranch(i int) *point {
	if i > 1 {
		return &point{i, 5} // want: dead
	}
	return nil
}

//go:noinline
func calledWithConstant() {
	keep = withBranch(0) // want: dead
}

//go:noinline
func calledWithVariable(i int) {
	keep = withBranch(i) // want: confirmed_heap 1
}

func sliceOf(n int) []int {
	return make([]int, n) // want: dead
}

//go:noinline
func constantArgument() int {
	s := sliceOf(4) // want: confirmed_heap 3 @1.21-1.24; confirmed_stack 3 @1.25-
	s[1] = 2
	return sum(s)
}

//go:noinline
func sum(s []int) int {
	n := 0
	for _, v := range s {
		n += v
	}
	return n
}

//go:noinline
func library(s string) {
	sinkS = strings.TrimSpace(strings.Clone(s)) // want: confirmed_heap 3
}

// alsoCalledIndirectly has code of its own, and is inlined too.
func alsoCalledIndirectly(i int) *point {
	return &point{i, 6} // want: confirmed_heap 3
}

var indirect = alsoCalledIndirectly

//go:noinline
func directly(i int) {
	keep = alsoCalledIndirectly(i) // want: confirmed_heap 3
}

func keepAll(v ...any) { sink = v } // want: dead

func forward(n int) {
	keepAll(n, 700) // want: dead; dead; dead; dead
	keepAll(3) // want: dead; dead; dead
}

func lists[T any](v ...T) any { return v } // want: dead; dead

// What several inlined calls convert, and their arguments: each at the line of its own name.
//
//go:noinline
func variadic(n int) {
	forward(n + 300) // want: confirmed_heap 6; confirmed_heap 6; confirmed_heap 3; static; static
	sink = lists([]int{n}, []int{2}) // want: confirmed_heap 3; confirmed_heap 3; confirmed_heap 3; confirmed_heap 3
}

func main() {
	for i := 0; i < 3; i++ {
		escaping(i)
		total += local(i) + twice(i)
		both(i)
		calledWithConstant()
		calledWithVariable(i)
		total += constantArgument()
		library(text)
		directly(i)
		total += indirect(i).x
		variadic(i)
	}
	println(total)
}
