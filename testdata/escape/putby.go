// Where registers are put by near an object of the frame: that is no memory of the sites whose
// values they hold, and is done as often as suits the optimiser.
package main

import "errors"

var (
	sink1 int
	sink2 func() int
	never bool
)

type failure struct{ code int }

func (f failure) Error() string { return "failure" }

type receiver struct{ n int }

func (r receiver) value() int    { return r.n }
func (r *receiver) pointer() int { return r.n }

//go:noinline
func mayFail(n int) error {
	if n > 3 {
		return nil
	}
	return failure{n} // want: static 1
}

func isNil(is bool) int {
	if is {
		return 1
	}
	return 0
}

//go:noinline
func later(n int, s string) int {
	acc := n
	err1 := errors.Join(mayFail(n), nil) // want: confirmed_stack 1; confirmed_stack 1; confirmed_heap 1; not_reached
	acc += isNil(err1 == nil)
	for i := 0; i < 3; i++ {
		var r receiver = receiver{n}
		f := r.value // want: confirmed_heap 3
		sink2 = f
		ch := make(chan int32, n) // want: unpredicted 3
		acc += cap(ch)
		acc += i
	}
	v := &struct { // want: elided
		receiver
		a int
	}{receiver{n}, 2}
	f6 := v.value // want: confirmed_heap 1
	sink2 = f6
	var r9 *receiver = &receiver{n} // want: confirmed_heap 1
	f8 := r9.pointer // want: confirmed_heap 1
	sink2 = f8
	var x any = s[:n%2] // want: unobserved
	acc += isNil(x == nil)
	return acc
}

func main() {
	sink1 = later(3, "abc")
}
