// Promises that reach into callees. What is to come of each stands behind its function's head:
// proved, broken by what it comes to, or unknown for the call that nobody can follow.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
)

type shape interface{ area() int }
type square struct{ side int }

func (s square) area() int { return s.side * s.side }

var (
	kept  any
	out   io.Writer = os.Stdout
	mu    sync.Mutex
	once  sync.Once
	table = map[string]int{"b": 2}
	hook  = func(a int) int { return a }
	waits = make(chan int, 1)
)

//goprobe:noalloc deep
//
//go:noinline
func sum(a []int) int { // want: proved
	s := 0
	for _, v := range a {
		s += v
	}
	return s + add(s, 3)
}

//go:noinline
func add(a, b int) int { return a/b + strings.Index("hello", "l") }

//goprobe:noalloc deep
//
//go:noinline
func chain(n int) string { return middle(n) } // want: broken main.middle

//go:noinline
func middle(n int) string { return strconv.Itoa(n*1000) + "!" }

//goprobe:noalloc deep
//
//go:noinline
func value(f func() int) int { return f() } // want: unknown function value

//goprobe:noalloc deep
//
//go:noinline
func variable() int { return hook(3) } // want: unknown function value

//goprobe:noalloc deep
//
//go:noinline
func method(s shape) int { return s.area() } // want: proved

//goprobe:noalloc deep
//
//go:noinline
func stringer(s fmt.Stringer) int { return len(s.String()) } // want: unknown interface method

//goprobe:noalloc deep
//
//go:noinline
func mixed(s shape, w namer) int { return s.area() + len(w.called()) } // want: unknown interface method

//goprobe:noalloc deep
//
//go:noinline
func bracketed(s shape, w namer) int { return adds(s.area(), (w.called)()) } // want: unknown interface method

func adds(n int, s string) int { return n + len(s) }

//go:noinline
func (s square) called() string { return strconv.Itoa(s.side * 1000) }

type namer interface{ called() string }

type promoted struct{ shape }

//goprobe:noalloc deep
//
//go:noinline
func embedded(p *promoted) int { return p.area() } // want: proved

func again(n int) int { // the rest of it allocates: what leads back here may come to that
	if n == 0 {
		return 0
	}
	a := back(n) //goprobe:noalloc deep
	return a + len(middle(n))
}

//go:noinline
func back(n int) int { return again(n - 1) }

//goprobe:noalloc deep
//
//go:noinline
func locks() int { // want: broken emacquire
	mu.Lock()
	defer mu.Unlock()
	return table["a"]
}

//goprobe:noalloc deep
//
//go:noinline
func reads() int { return table["a"] } // want: proved

//goprobe:noalloc deep
//
//go:noinline
func stores() { table["b"]++ } // want: broken runtime.mapassign_faststr

//goprobe:noalloc deep
//
//go:noinline
func receives() int { return <-waits } // want: broken runtime.chanrecv1

//goprobe:noalloc deep after the first call
//
//go:noinline
func first() int { // want: proved
	once.Do(func() { kept = make([]int, 10) })
	return len(table)
}

//goprobe:noalloc deep after the first call
//
//go:noinline
func eachTime() int { // want: broken main.eachTime
	var once sync.Once
	once.Do(func() { kept = make([]int, 10) })
	return len(table)
}

//goprobe:noalloc deep
//
//go:noinline
func always() int { // want: broken
	once.Do(func() { kept = make([]int, 10) })
	return len(table)
}

//goprobe:noalloc deep
//
//go:noinline
func exempt(n int) error { // want: proved
	if n > 10 {
		return bad(n) //goprobe:allow-alloc "only on the error path"
	}
	return nil
}

//goprobe:noalloc deep
//
//go:noinline
func inherits(n int) error { return exempt(n) } // want: proved

//go:noinline
func bad(n int) error { return errors.New(fmt.Sprint(n)) }

//goprobe:noalloc deep
//
//go:noinline
func recursive(n int) int { // want: proved
	if n < 2 {
		return n
	}
	return other(n-1) + 1
}

//go:noinline
func other(n int) int { return recursive(n - 1) }

//goprobe:noalloc deep
//
//go:noinline
func known() int { // want: proved
	twice := func(a int) int { return a * 2 }
	return twice(len(table))
}

// Closures that lie in the frame: what they come to is known, whatever else is called on the line.
//
//goprobe:noalloc deep
//
//go:noinline
func framed(s shape, n int) int { // want: broken main.framed.func1
	var down func(int) int
	var room [8]int
	room[n&7] = n
	down = func(k int) int {
		if k <= 0 {
			kept = k + 1000
			return k
		}
		return down(k - 1)
	}
	return down(n) + s.area() + room[n&3]
}

//goprobe:noalloc deep
//
//go:noinline
func atTheEnd(s shape, n int) int { // want: broken main.atTheEnd.func1
	k := n
	defer func() { kept, k = k+1000, n }()
	k++
	return s.area()
}

//goprobe:noalloc deep
//
//go:noinline
func addsUp(n int) int { // want: proved
	defer func(k int) { total += k }(n)
	return n
}

var total int

// The last argument comes in the caller's frame.
//
//goprobe:noalloc deep
//
//go:noinline
func handedDown(a, b, c, d, e, g, h, i, j, k int, f func() int) int { // want: unknown function value
	if a > 3 {
		f = func() int { return 3 }
	}
	return f() + b + c + d + e + g + h + i + j + k
}

//goprobe:noalloc deep
//
//go:noinline
func deferred(n int) { // want: unknown deferred functions
	for i := 0; i < n; i++ {
		defer recursive(i) //goprobe:allow-alloc "the record of a defer in a loop"
	}
}

//goprobe:noalloc deep
//
//go:noinline
func indexes(a []string, i int) string { return a[i] } // want: proved

//goprobe:nosplit
//
//go:nosplit
//go:noinline
func leaf(a int) int { return a + 1 } // want: proved

//goprobe:nosplit
//
//go:noinline
func splits(a int) int { var b [300]int; return b[a] + add(a, 2) } // want: broken runtime.morestack

//goprobe:nosplit deep
//
//go:nosplit
//go:noinline
func splitsBelow(a int) int { return splits(a) } // want: broken main.splits

//goprobe:nodynamic deep
//
//go:noinline
func direct(a []int) int { return sum(a) + add(2, 1) } // want: proved

//goprobe:nodynamic deep
//
//go:noinline
func calls(s shape) int { return method(s) } // want: broken main.method

//goprobe:noassert
//
//go:noinline
func asserts(a any) bool { _, ok := a.(io.Writer); return ok } // want: broken runtime.

//goprobe:noassert deep
//
//go:noinline
func compares(a any) bool { _, ok := a.(int); return ok } // want: proved

//goprobe:noalloc deeep
func misspelt() {} // want: problem behind noalloc there may be

//goprobe:allow-alloc
func without() {} // want: problem needs its reason

//goprobe:noalloc deep
//
//go:noinline
func deletes() { delete(table, "no such key") }

//go:noinline
func runs(f func()) { f() }

//go:noinline
func handsOn(n int) { runs(func() { kept = n + 1000 }) }

func folded(a int) int { return a * 2 }

func foldedAny[E int | string](_ E, a int) int { return a * 3 }

type boxed[E any] struct{ e E }

// Its name has brackets within brackets, and one that ends before a parenthesis.
//
//go:noinline
func handed[F, E any](f F, e E) { kept = &boxed[E]{e} }

func fresh(n int) *int { return &n }

// Inlined, the variable of fresh is moved to the heap where it is called.
//
//goprobe:noalloc deep
func lends[E int | string](_ E, n int) int { // want: proved
	kept = fresh(n) //goprobe:allow-alloc "what it keeps"
	return n
}

func foldedLine(a int) int {
	b := a * 3 //goprobe:noalloc
	return b
}

//go:noinline
func caught(n int) (m int) {
	defer func() { recover(); m = n }()
	return small[n]
}

var small [4]int

// Who panicked in caught is not known.
//
//goprobe:noalloc deep
//go:noinline
func mayPanic(n int) int { // want: unknown was seen to panic
	return caught(n)
}

//goprobe:noalloc deep except panics
//go:noinline
func mayPanicOn(n int) int { // want: proved
	return caught(n)
}

func main() {
	deletes()
	_ = mayPanic(5) + mayPanicOn(6)
	handsOn(3)
	_ = folded(4)
	_ = foldedAny(1, 4) + foldedAny("", 5)
	_ = foldedLine(5) + lends(1, 6) + lends("", 7)
	handed(func(boxed[int]) bool { return true }, 3)
	fmt.Fprintln(io.Discard, sum([]int{1, 2}), chain(5), value(func() int { return 3 }))
	fmt.Fprintln(io.Discard, variable(), method(square{3}), locks(), reads(), first(), always())
	waits <- 1
	fmt.Fprintln(io.Discard, exempt(3), inherits(4), recursive(5), known(), indexes(os.Args, 0))
	fmt.Fprintln(io.Discard, receives(), leaf(2), splits(3), splitsBelow(4), direct([]int{3, 1}))
	fmt.Fprintln(io.Discard, calls(square{2}), asserts(out), compares(4))
	fmt.Fprintln(io.Discard, mixed(square{2}, square{3}), embedded(&promoted{square{4}}), again(2))
	fmt.Fprintln(io.Discard, bracketed(square{5}, square{6}), stringer(&strings.Builder{}))
	fmt.Fprintln(io.Discard, eachTime(), framed(square{1}, 2), atTheEnd(square{2}, 3), addsUp(4))
	fmt.Fprintln(io.Discard, handedDown(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, func() int { return total }))
	stores()
	deferred(2)
	misspelt()
	without()
}
