// Slices that are built in the frame and leave it late (since Go 1.26), and unsafe views.
package main

import "unsafe"

type pair struct {
	p *int
	n int
}

type holder struct{ s []int }

var (
	ints   []int
	kept   holder
	total  int
	few    = 3
	many   = 100
	text   = "some text"
	failed bool
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
func stays(n int) []int {
	var s []int
	for i := 0; i < n; i++ {
		s = append(s, i) // want: unpredicted 3 @1.21-1.24; confirmed_heap 3 @1.25; deferred_heap 1 @1.26-
	}
	return s
}

//go:noinline
func outgrows(n int) []int {
	var s []int
	for i := 0; i < n; i++ {
		s = append(s, i) // want: unpredicted 8 @1.21-1.24; confirmed_heap 8 @1.25; confirmed_heap 5 @1.26-
	}
	return s
}

//go:noinline
func ofPointers(n int) []pair {
	var s []pair
	for i := 0; i < n; i++ {
		s = append(s, pair{&total, i}) // want: unpredicted 1 @1.21-1.24; confirmed_heap 1 @1.25; deferred_heap 1 @1.26-
	}
	return s
}

//go:noinline
func toGlobal(n int) {
	var s []int
	for i := 0; i < n; i++ {
		s = append(s, i) // want: unpredicted 3 @1.21-1.24; confirmed_heap 3 @1.25; deferred_heap 1 @1.26-
	}
	ints = s
}

//go:noinline
func toField(n int) {
	var s []int
	for i := 0; i < n; i++ {
		s = append(s, i) // want: unpredicted 3 @1.21-1.24; confirmed_heap 3 @1.25-
	}
	kept = holder{s}
}

//go:noinline
func twoReturns(n int, early bool) []int {
	var s []int
	for i := 0; i < n; i++ {
		s = append(s, i) // want: unpredicted 5 @1.21-1.24; confirmed_heap 5 @1.25-
		if early && i == 1 {
			return s
		}
	}
	return s
}

//go:noinline
func droppedOnError(n int) ([]int, bool) {
	var s []int
	for i := 0; i < n; i++ {
		s = append(s, i) // want: unpredicted 3 @1.21-1.24; confirmed_heap 3 @1.25; deferred_heap 1 @1.26-
	}
	if failed {
		return nil, false
	}
	return s, true
}

//go:noinline
func filtered(in []int) []int {
	var out []int
	for _, v := range in {
		if v%2 == 0 {
			out = append(out, v) // want: unpredicted 2 @1.21-1.24; confirmed_heap 2 @1.25; deferred_heap 1 @1.26-
		}
	}
	return out
}

//go:noinline
func notReturned(n int) int {
	var s []int
	for i := 0; i < n; i++ {
		s = append(s, i) // want: unpredicted 3 @1.21-1.24; confirmed_stack 0 @1.25-
	}
	return sum(s)
}

//go:noinline
func strings(n int) []string {
	var s []string
	for i := 0; i < n; i++ {
		s = append(s, text) // want: unpredicted 1 @1.21-1.24; confirmed_heap 1 @1.25; deferred_heap 1 @1.26-
	}
	return s
}

//go:noinline
func unsafeString(b []byte) string {
	return unsafe.String(&b[0], len(b))
}

//go:noinline
func unsafeSlice(p *int, n int) []int {
	return unsafe.Slice(p, n)
}

//go:noinline
func unsafeBytes(s string) []byte {
	return unsafe.Slice(unsafe.StringData(s), len(s))
}

func main() {
	total += len(stays(few)) + len(outgrows(many)) + len(ofPointers(1))
	toGlobal(few)
	toField(few)
	total += len(twoReturns(few, true)) + len(twoReturns(few, false))
	s, ok := droppedOnError(few)
	if ok {
		total += len(s)
	}
	total += len(filtered(ints)) + notReturned(few) + len(strings(1))
	b := []byte(text) // want: confirmed_stack 1 @1.21; no_copy @1.24-
	total += len(unsafeString(b)) + len(unsafeSlice(&total, 1)) + len(unsafeBytes(text))
	println(total)
}
