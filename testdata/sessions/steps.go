// Steps of every kind, for tests/script/test_stepping.py, which finds lines by their last word.
package main

import (
	"os"
	"time"
)

var sink int

func loop(n int) int { // loop
	s := 0                              // loop-s
	for i := 0; i < n; i++ { s += i } // loop-for
	return s                            // loop-return
}

func recovers(n int) (r int) { // recovers
	defer func() { // recovers-defer
		recover() // recovers-recover
		r = 7     // recovers-seven
	}() // recovers-deferred
	if n > 0 { // recovers-if
		panic("on purpose") // recovers-panic
	}
	return n // recovers-return
} // recovers-end

func between(n int) int { // between
	return recoversNot(n) + 1 // between-call
}

//go:noinline
func recoversNot(n int) int { // recoversnot
	if n > 0 {
		panic("further out") // recoversnot-panic
	}
	return n
}

func outermost() (r int) { // outermost
	defer func() { recover() }() // outermost-defer
	r = between(1)               // outermost-call
	return r                     // outermost-return
} // outermost-end

func fib(n int) int { // fib
	if n < 2 { // fib-if
		return n // fib-small
	}
	a := fib(n - 1) // fib-a
	b := fib(n - 2) // fib-b
	return a + b    // fib-return
}

func inner(x int) int { // inner
	y := x * 2 // inner-y
	marker()   // inner-marker
	return y + 1
}

//go:noinline
func outer(x int) int { // outer
	z := inner(x) // outer-inner
	sink += z     // outer-sink
	return z + 1  // outer-return
}

//go:noinline
func marker() {}

func other(done chan bool) { // other
	rounds := 400
	if len(os.Args) > 1 {
		rounds = 10
	}
	for i := 0; i < rounds; i++ {
		marker()
		time.Sleep(10 * time.Millisecond)
	}
	done <- true
}

//go:noinline
func waits(done chan bool) int { // waits
	<-done // waits-receive
	return 5
}

//go:noinline
func last() {
	if len(os.Args) > 9 {
		marker() // never
	}
}

type shape interface{ area() int }
type square struct{ side int }

func (s square) area() int { return s.side * s.side } // area

func viaInterface(s shape) int { // via
	return s.area() // via-call
}

func main() {
	println(loop(3_000_000))
	a := recovers(1) // main-recovers
	manyDeferred()   // main-many
	println(a, outermost()) // main-after
	println(fib(12))
	println(outer(3))
	println(viaInterface(&square{3}))
	done := make(chan bool)
	go other(done) // main-go
	println(waits(done))
	last()
}

var total int

func manyDeferred() { // many
	defer func() { // many-first
		total += 1 // many-one
	}()
	defer func() { // many-second
		total += 2 // many-two
	}()
	for i := 0; i < 2; i++ { // many-for
		defer add(i) // many-defer
	}
	total += 4 // many-four
} // many-end

func add(i int) { // add
	total += i // add-i
} // add-end
