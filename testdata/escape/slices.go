// make, literals, append and copies of slices.
package main

import "slices"

type pair struct{ a, b *int }

var (
	bytes  []byte
	ints   []int
	pairs  []pair
	empties []struct{}
	total  int
	four   = 4
	many   = 100
	none   = 0
)

//go:noinline
func sum(s []int) int {
	n := 0
	for _, v := range s {
		n += v
	}
	return n
}

//go:noinline
func sumBytes(s []byte) int {
	n := 0
	for _, v := range s {
		n += int(v)
	}
	return n
}

//go:noinline
func constOnStack() int {
	s := make([]int, 8) // want: confirmed_stack 1
	s[1] = 1
	return sum(s)
}

//go:noinline
func constReturned() []int {
	return make([]int, 8) // want: confirmed_heap 1
}

//go:noinline
func constTooLarge() int {
	s := make([]byte, 1<<16+1) // want: confirmed_heap 1
	s[1] = 1
	return sumBytes(s)
}

//go:noinline
func constLargest() int {
	s := make([]byte, 1<<16) // want: confirmed_stack 1
	s[1] = 1
	return sumBytes(s)
}

//go:noinline
func variableSmall(n int) int {
	s := make([]int, n) // want: confirmed_heap 3 @1.21-1.24; confirmed_stack 0 @1.25-
	s[1] = 1
	return sum(s)
}

//go:noinline
func variableLarge(n int) int {
	s := make([]int, n) // want: confirmed_heap 3 @1.21-1.24; spilled_to_heap 3 @1.25-
	s[1] = 1
	return sum(s)
}

//go:noinline
func variableReturned(n int) []int {
	return make([]int, n) // want: confirmed_heap 3
}

//go:noinline
func variablePointers(n int) []pair {
	return make([]pair, n, 2*n) // want: confirmed_heap 3
}

//go:noinline
func ofNothing(n int) []int {
	return make([]int, n) // want: static 3
}

//go:noinline
func ofZeroSize(n int) []struct{} {
	return make([]struct{}, n) // want: static 3
}

// The code of its line is moved to where the slice stays empty, and that never runs.
//
//go:noinline
func emptyThenFilled(rest []int) int {
	s := make([]int, 0, 0) // want: unobserved
	total++
	s = append(s, rest...) // want: unpredicted 3 @1.21-1.24; spilled_to_heap 3 @1.25-
	return len(s)
}

//go:noinline
func length64(n uint64) []byte {
	return make([]byte, n) // want: confirmed_heap 3
}

//go:noinline
func literalOnStack(i int) int {
	s := []int{i, 2, 3} // want: confirmed_stack 3
	return sum(s)
}

//go:noinline
func literalReturned(i int) []int {
	return []int{i, 2, 3} // want: confirmed_heap 3
}

//go:noinline
func literalConstant() int {
	return sum([]int{1, 2, 3}) // want: confirmed_stack 3
}

//go:noinline
func literalOfPointers(i int) []*int { // want: confirmed_heap 3
	return []*int{&i, &i} // want: confirmed_heap 3
}

//go:noinline
func appendReturned(n int) []int {
	var s []int
	for i := 0; i < n; i++ {
		s = append(s, i) // want: unpredicted 4 @1.21-1.24; confirmed_heap 4 @1.25; confirmed_heap 1 @1.26-
	}
	return s
}

//go:noinline
func appendLocal(n int) int {
	var s []int
	for i := 0; i < n; i++ {
		s = append(s, i) // want: unpredicted 6 @1.21-1.24; spilled_to_heap 3 @1.25-
	}
	return sum(s)
}

//go:noinline
func appendLocalSmall(n int) int {
	var s []byte
	for i := 0; i < n; i++ {
		s = append(s, byte(i)) // want: unpredicted 3 @1.21-1.24; confirmed_stack 0 @1.25-
	}
	return sumBytes(s)
}

//go:noinline
func appendWithin(n int) int {
	s := make([]int, 0, 16) // want: confirmed_stack 1
	for i := 0; i < n; i++ {
		s = append(s, i) // want: not_reached 0
	}
	return sum(s)
}

//go:noinline
func appendMany(s []int, t []int) []int {
	return append(s, t...) // want: unpredicted 1 @1.21-1.24; confirmed_heap 1 @1.25-
}

//go:noinline
func appendMade(s []int, n int) []int {
	return append(s, make([]int, n)...) // want: unpredicted 1 @1.21-1.24; dead @1.21-1.24; confirmed_heap 1 @1.25-; elided @1.25-
}

//go:noinline
func appendString(b []byte, s string) []byte {
	return append(b, s...) // want: unpredicted 1 @1.21-1.24; confirmed_heap 1 @1.25-
}

//go:noinline
func appendZeroSize(n int) []struct{} {
	var s []struct{}
	for i := 0; i < n; i++ {
		s = append(s, struct{}{}) // want: static 3
	}
	return s
}

//go:noinline
func makeAndCopy(s []int) []int {
	t := make([]int, len(s)) // want: confirmed_heap 1
	copy(t, s)
	return t
}

//go:noinline
func grow(s []int) []int {
	return slices.Grow(s, 10) // want: unpredicted 1 @1.21-1.24; dead; dead @1.21-1.24; confirmed_heap 1 @1.25-; elided @1.25-
}

//go:noinline
func clone(s []int) []int {
	return slices.Clone(s) // want: unpredicted 1 @1.21-1.24; static; confirmed_heap 1 @1.25-
}

//go:noinline
func appendThenReturn(n int) []int {
	var s []int
	for i := 0; i < n; i++ {
		s = append(s, i) // want: unpredicted 3 @1.21-1.24; confirmed_heap 3 @1.25; deferred_heap 1 @1.26-
	}
	if n > 50 {
		return nil
	}
	return s
}

//go:noinline
func variadic(a ...int) int { return sum(a) }

//go:noinline
func callVariadic(i int) int {
	return variadic(i, i+1) // want: confirmed_stack 1
}

//go:noinline
func keepVariadic(a ...int) { ints = a }

//go:noinline
func callKeepVariadic(i int) {
	keepVariadic(i, i+1) // want: confirmed_heap 1
}

//go:noinline
func arrayPart(i int) []int {
	var a [4]int // want: confirmed_heap 1
	a[0] = i
	return a[:2]
}

func main() {
	total += constOnStack() + len(constReturned()) + constTooLarge() + constLargest()
	for i := 0; i < 3; i++ {
		total += variableSmall(four) + variableLarge(many)
		total += len(variableReturned(four)) + len(variablePointers(four))
		total += len(ofNothing(none)) + len(ofZeroSize(four)) + len(length64(uint64(many)))
		total += emptyThenFilled([]int{many}) // want: confirmed_stack 3
		total += literalOnStack(i) + literalReturned(i)[0] + literalConstant() + *literalOfPointers(i)[0]
	}
	total += len(appendReturned(5)) + appendLocal(20) + appendLocalSmall(20) + appendWithin(16)
	ints = appendMany(ints, []int{1, 2, 3}) // want: confirmed_stack 1
	ints = appendMade(ints, 10)
	bytes = appendString(bytes, "forty bytes of text, more than a buffer.")
	empties = appendZeroSize(3)
	ints = makeAndCopy(ints)
	ints = grow(ints)
	ints = clone(ints)
	total += len(appendThenReturn(3))
	total += callVariadic(1)
	callKeepVariadic(2)
	total += arrayPart(3)[0]
	println(total, len(bytes), len(pairs), len(empties))
}
