// Panics that replace one another on their way out, and closures that are called where they are
// written: what they capture travels as an address. The value of each panic that leaves a call is
// printed by none but known: see the test.
package main

import (
	"errors"
	"fmt"
	"runtime"
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

//go:noinline
func deep(n int) {
	if n == 0 {
		panic("bottom")
	}
	deep(n - 1)
}

//go:noinline
func exits() {
	defer runtime.Goexit() // takes the goroutine away that the panic was leaving
	deep(2)
}

//go:noinline
func leaves(n int) {
	defer func() {
		defer func() { recover() }()
		panic("late")
	}()
	if n == 0 {
		runtime.Goexit()
	}
	leaves(n - 1)
}

//go:noinline
func broken(n int) { panic("broken") }

//go:noinline
func guards(n int) {
	defer func() { recover() }()
	broken(n)
}

//go:noinline
func afterwards(n int) int {
	var room [512]int // deeper than the call that has ended by a panic
	room[n&255] = n
	return inner(n) + room[n&127]
}

//go:noinline
func inner(n int) int { return n + 1 }

func apart(f func()) {
	done := make(chan bool)
	go func() {
		defer close(done)
		f()
	}()
	<-done
}

func main() {
	apart(exits)
	apart(func() {
		guards(1)
		afterwards(2)
	})
	apart(func() { leaves(1) })
	fmt.Println(guarded(&tx{}))
	func() {
		defer func() { fmt.Println(recover()) }()
		outer(2)
	}()
	fmt.Println(captures(3))
}
