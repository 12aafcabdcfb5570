// Panics that replace one another on their way out, and closures that are called where they are
// written: what they capture travels as an address. The value of each panic that leaves a call is
// printed by none but known: see the test.
package main

import (
	"errors"
	"fmt"
)

type tx struct{ n int }

//go:noinline
func (t *tx) close() { t.n++; panic("close") }

//go:noinline
func (t *tx) undo() { t.n++; panic(errors.New("undo")) }

//go:noinline
func work(t *tx) {
	defer t.close()
	defer t.undo()
	panic("work")
}

//go:noinline
func guarded(t *tx) (said string) {
	defer func() { said = fmt.Sprint(recover()) }()
	work(t)
	return ""
}

//go:noinline
func outer(n int) {
	defer func() {
		r := recover()
		calms()
		if n > 0 {
			panic(fmt.Sprint(n, r))
		}
		panic(r)
	}()
	deeper(n)
}

//go:noinline
func deeper(n int) {
	if n == 0 {
		panic("root")
	}
	outer(n - 1)
}

//go:noinline
func calms() {
	defer func() { recover() }()
	alarms()
}

//go:noinline
func alarms() { panic("alarm") }

//go:noinline
func captures(n int) (sum int, text string, next *tx) {
	text = "a"
	for i := 0; i < n; i++ {
		func() {
			defer func() { recover() }()
			sum += i
			text += "b"
			next = &tx{i}
		}()
	}
	return
}

func main() {
	fmt.Println(guarded(&tx{}))
	func() {
		defer func() { fmt.Println(recover()) }()
		outer(2)
	}()
	fmt.Println(captures(3))
}
