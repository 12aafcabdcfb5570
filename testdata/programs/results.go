// Named results: zero from the start, set by return, read and changed by deferred calls.
package main

import "errors"

func divide(a, b int) (quotient int, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = errors.New("recovered") // stop
			// want: quotient value=0
			// want: err value=nil
			// want: r live dynamic_type=runtime.runtimeError|runtime.Error|runtime.errorString
		}
		quotient += 100
	}()
	println(a) // stop hits=2
	// want: quotient live value=0
	// want: err live value=nil
	// want#1: a live value=7
	// want#2: b live value=0
	quotient = a / b
	println(quotient) // stop
	// want: quotient live value=3
	return quotient, err
}

func early(n int) (out string) {
	if n > 0 {
		return "positive"
	}
	out = "other"
	return // stop
	// want: out live value=other
	// want: n live value=-1
}

func main() {
	q, err := divide(7, 2)
	z, zerr := divide(1, 0)
	s, t := early(1), early(-1)
	println(q, z) // stop
	// want: q value=103
	// want: err value=nil
	// want: z value=100
	// want: zerr dynamic_type=*errors.errorString
	// want: s value=positive
	// want: t value=other
	_, _, _, _ = err, zerr, s, t
}
