// Closures, method values, defer and go.
package main

import "sync"

type counter struct{ n int }

func (c *counter) add(d int) { c.n += d }

func (c counter) value() int { return c.n }

type adder interface{ add(int) }

var (
	kept    func() int
	keptAdd func(int)
	total   int
	mutex   sync.Mutex
)

//go:noinline
func call(f func() int) int { return f() }

//go:noinline
func noCapture() {
	kept = func() int { return 1 } // want: static
}

//go:noinline
func captureByValue(i int) {
	kept = func() int { return i } // want: confirmed_heap 3
}

//go:noinline
func captureByReference(i int) {
	n := 0 // want: confirmed_heap 3
	kept = func() int { n += i; return n } // want: confirmed_heap 3
}

//go:noinline
func localClosure(i int) int {
	return call(func() int { return i * 2 }) // want: confirmed_stack 3
}

//go:noinline
func localClosureByReference(i int) int {
	n := 0
	call(func() int { n += i; return n }) // want: confirmed_stack 3
	return n
}

//go:noinline
func inlinedClosure(i int) int {
	f := func() int { return i + 1 } // want: elided @1.21
	return f()
}

//go:noinline
func returned(i int) func() int { // want: confirmed_heap 3
	return func() int { i++; return i } // want: confirmed_heap 3
}

//go:noinline
func recursive(n int) int {
	var f func(int) int
	f = func(k int) int { // want: confirmed_stack 3
		if k == 0 {
			return 0
		}
		return k + f(k-1)
	}
	return f(n)
}

//go:noinline
func nestedClosures(i int) func() func() int {
	return func() func() int { // want: confirmed_heap 3
		return func() int { return i } // want: confirmed_heap 3
	}
}

//go:noinline
func methodValue(c *counter) {
	keptAdd = c.add // want: confirmed_heap 3
}

//go:noinline
func methodValueOfCopy(c counter) {
	kept = c.value // want: confirmed_heap 3
}

//go:noinline
func localMethodValue(c *counter) int {
	return callAdd(c.add, c) // want: confirmed_stack 3
}

//go:noinline
func callAdd(f func(int), c *counter) int {
	f(2)
	return c.n
}

//go:noinline
func methodExpression(c *counter) {
	f := (*counter).add
	f(c, 3)
}

//go:noinline
func interfaceMethodValue(a adder) {
	keptAdd = a.add // want: confirmed_heap 3
}

//go:noinline
func deferred(i int) {
	defer func() { total += i }() // want: confirmed_stack 3
}

//go:noinline
func deferredMethod() {
	mutex.Lock()
	defer mutex.Unlock()
	total++
}

//go:noinline
func deferredInLoop(n int) {
	for i := 0; i < n; i++ {
		defer addTotal(i) // want: unpredicted 9; unpredicted 9
	}
}

//go:noinline
func addTotal(i int) { total += i }

//go:noinline
func deferredConditionally(n int) {
	if n > 1 {
		defer addTotal(n)
	}
}

//go:noinline
func started(c chan int, i int) {
	go func() { c <- i }() // want: unpredicted 3; confirmed_heap 3
}

//go:noinline
func startedWithArgument(c chan int, i int) {
	go send(c, i) // want: unpredicted 3; unpredicted 3
}

//go:noinline
func send(c chan int, i int) { c <- i }

//go:noinline
func startedWithNothing(wg *sync.WaitGroup) {
	go nothing() // want: unpredicted 3
}

func nothing() {}

//go:noinline
func once(o *sync.Once, i int) {
	o.Do(func() { total += i }) // want: confirmed_stack 3
}

func main() {
	c := &counter{} // want: confirmed_heap 1
	ch := make(chan int, 8) // want: unpredicted 1
	var wg sync.WaitGroup
	for i := 0; i < 3; i++ {
		noCapture()
		total += kept()
		captureByValue(i)
		total += kept()
		captureByReference(i)
		total += kept()
		total += localClosure(i) + localClosureByReference(i) + inlinedClosure(i)
		total += returned(i)() + recursive(3) + nestedClosures(i)()()
		methodValue(c)
		keptAdd(1)
		methodValueOfCopy(*c)
		total += kept()
		total += localMethodValue(c)
		methodExpression(c)
		interfaceMethodValue(c)
		deferred(i)
		deferredMethod()
		deferredInLoop(3)
		deferredConditionally(i)
		started(ch, i)
		total += <-ch
		startedWithArgument(ch, i)
		total += <-ch
		startedWithNothing(&wg)
		var o sync.Once // want: confirmed_heap 3
		once(&o, i)
	}
	println(total)
}
