// What a checker of hot paths has to tell apart, kind by kind: written after the list of cases by
// which gVisor tests its own (tools/checkescape: heap, builtin, stack split, interface, dynamic,
// in a function itself or in what it calls, in this package or another).
package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
)

type doer interface{ do() int }
type noisy struct{ a, b uint64 }

//go:nosplit
func (n noisy) do() int { return len(fmt.Sprint(n.a)) }

var (
	sink    any
	sinkErr error
	table   = map[int]int{1: 2}
	pipe    = make(chan int, 4)
	hook    = func() {}
)

//goprobe:noalloc deep
//goprobe:nosplit deep
//go:noinline
//go:nosplit
func takesInterface(d doer) int { return 1 } // want: proved proved

//goprobe:noalloc deep
//goprobe:nosplit deep
//go:noinline
//go:nosplit
func takesPointer(n *noisy) uint64 { return n.a } // want: proved proved

//goprobe:noalloc deep
//go:noinline
func makesMap(n int) map[int]bool { return make(map[int]bool, n) } // want: broken

//goprobe:noalloc deep
//go:noinline
func callsMakesMap(n int) map[int]bool { return makesMap(n) } // want: broken

//goprobe:noalloc deep
//go:noinline
func makesClosure(n int) func() int { return func() int { return n } } // want: broken

//goprobe:noalloc deep
//go:noinline
func callsMakesClosure(n int) func() int { return makesClosure(n) } // want: broken

//goprobe:noalloc deep
//go:noinline
func makesSlice(n int) []byte { return make([]byte, n) } // want: broken

//goprobe:noalloc deep
//go:noinline
func callsMakesSlice(n int) []byte { return makesSlice(n) } // want: broken

//goprobe:noalloc deep
//go:noinline
func appends(b []byte) []byte { return append(b, 0) } // want: broken

//goprobe:noalloc deep
//go:noinline
func callsAppends() []byte { return appends(nil) } // want: broken

//goprobe:noalloc deep
//go:noinline
func makesChannel() chan int { return make(chan int) } // want: broken

//goprobe:noalloc deep
//go:noinline
func movesToHeap() *noisy { var n noisy; return &n } // want: broken

//goprobe:noalloc deep
//go:noinline
func callsMovesToHeap() *noisy { return movesToHeap() } // want: broken

//goprobe:noalloc deep
//goprobe:nodynamic
//go:noinline
//go:nosplit
func dispatches(d doer) int { return d.do() } // want: unknown broken

//goprobe:nodynamic deep
//goprobe:nodynamic
//go:noinline
func callsDispatches(d doer) int { return dispatches(d) } // want: broken proved

//goprobe:noalloc deep
//goprobe:nodynamic
//go:noinline
//go:nosplit
func calls(f func()) { f() } // want: unknown broken

//goprobe:noalloc deep
//goprobe:nodynamic deep
//go:noinline
func callsCalls(f func()) { calls(f) } // want: unknown broken

//goprobe:noalloc deep
//go:noinline
func callsField(h *struct{ f func() }) { h.f() } // want: unknown

//goprobe:noalloc deep
//goprobe:nodynamic
//go:noinline
func callsGlobal() { hook() } // want: unknown broken

//go:noinline
//go:nosplit
func nothing() {}

//goprobe:nosplit
//goprobe:noalloc deep
//go:noinline
func splits() { nothing() } // want: broken proved

//goprobe:nosplit deep
//goprobe:nosplit
//go:noinline
//go:nosplit
func callsSplits() { splits() } // want: broken proved

//goprobe:noalloc deep
//goprobe:nosplit deep
//go:noinline
//go:nosplit
func looksUp(key int) int { return table[key] } // want: proved broken

//goprobe:nosplit deep
//go:noinline
//go:nosplit
func callsLooksUp(key int) int { return looksUp(key) } // want: broken

//goprobe:noalloc deep
//goprobe:nosplit deep
//go:noinline
//go:nosplit
func updates(key int) { table[key] = 3 } // want: broken broken

//goprobe:noalloc deep
//go:noinline
func ranges(m map[int]int) (sum int) { // want: steps
	for _, v := range m {
		sum += v
	}
	return sum
}

//goprobe:noalloc deep
//go:noinline
func empties(m map[int]int) { clear(m) } // want: steps

//goprobe:noalloc deep
//goprobe:nosplit deep
//go:noinline
//go:nosplit
func emptiesSlice(s []int) { clear(s) } // want: proved proved

//goprobe:noalloc deep
//go:noinline
func emptiesPointers(s []*int) { clear(s) } // want: proved

//goprobe:noalloc deep
//go:noinline
func runes(s string) (sum int) { // want: proved
	for _, r := range s {
		sum += int(r)
	}
	return sum
}

//goprobe:noalloc deep
//go:noinline
func receives() int { return <-pipe } // want: broken

//goprobe:noalloc deep
//goprobe:nodynamic deep
//go:noinline
func sameAny(a, b any) bool { return a == b } // want: proved proved

//goprobe:noalloc deep
//goprobe:nosplit deep
//go:noinline
//go:nosplit
func sameStrings(a, b string) bool { return a == b } // want: proved proved

//goprobe:noalloc deep
//go:noinline
func boxes(v [4]uint64) any { return v } // want: broken

//goprobe:noalloc deep
//go:noinline
func boxesText(s string) any { return s } // want: broken

//goprobe:noalloc deep
//goprobe:nosplit deep
//go:noinline
//go:nosplit
func boxesPointer(n *noisy) any { return n } // want: proved proved

//goprobe:noalloc deep
//go:noinline
func boxesConstant() any { return "constant" } // want: proved

//goprobe:noalloc deep
//go:noinline
func boxesInPart(some bool, s string, n uint64) any { // want: broken
	if some {
		return s //goprobe:allow-alloc "this conversion only"
	}
	return n
}

//goprobe:noalloc deep
//go:noinline
func panics(s string) int { // want: proved
	if s != "" {
		panic(fmt.Sprintf("value: %s", s)) //goprobe:allow-alloc "on the way to a panic"
	}
	panic("constant")
}

//goprobe:noalloc deep
//go:noinline
func converts(s string) []byte { return []byte(s) } // want: broken

//goprobe:noalloc deep
//go:noinline
func convertsInPlace(s string) bool { return string([]byte("ab")) == s } // want: proved

//goprobe:noalloc deep
//go:noinline
func copies[T any](v T) *T { c := new(T); *c = v; return c } // want: broken

//goprobe:noalloc deep
//go:noinline
func same[T any](v T) T { return v } // want: proved

//goprobe:nodynamic deep
//go:noinline
func dispatchesGeneric[T doer](v T) int { return v.do() } // want: broken

//goprobe:noalloc deep
//go:noinline
func otherPackage(s string) string { return strings.Repeat(s, 3) } // want: broken

//goprobe:noalloc deep
//go:noinline
func otherPackageQuiet(s string) bool { return strings.HasPrefix(s, "a") } // want: proved

//goprobe:noalloc deep
//go:noinline
func fails(bad bool) error { // want: broken
	if bad {
		return errors.New("bad")
	}
	return nil
}

func main() {
	var d doer = noisy{1, 2}
	if len(os.Args) > 9 {
		hook, d = func() { sink = 1 }, nil
	}
	n, h := noisy{3, 4}, struct{ f func() }{hook}
	sink = takesInterface(d) + int(takesPointer(&n)) + len(callsMakesMap(3)) + callsMakesClosure(2)()
	sink = len(callsMakesSlice(3)) + len(callsAppends()) + cap(makesChannel()) + int(callsMovesToHeap().a)
	sink = callsDispatches(d) + callsLooksUp(1) + ranges(table) + runes("abc") + dispatchesGeneric(n)
	callsCalls(hook)
	callsField(&h)
	callsGlobal()
	callsSplits()
	updates(1)
	pipe <- receivesLater()
	sink = sameAny(n, sink)
	sink = sameStrings("a", os.Args[0])
	emptiesSlice([]int{1})
	emptiesPointers([]*int{nil})
	sink, sinkErr = boxes([4]uint64{1}), fails(true)
	sink = boxesText("a")
	sink = boxesPointer(&n)
	sink = boxesConstant()
	sink = boxesInPart(false, "a", 1000)
	sink = len(converts("abc"))
	sink = convertsInPlace("ab")
	sink = *copies(7) + same(3)
	sink = same("text")
	sink = otherPackage("ab")
	sink = otherPackageQuiet("ab")
	empties(table)
	if len(os.Args) > 9 {
		panics("x")
	}
}

func receivesLater() int {
	pipe <- 1
	return receives()
}
