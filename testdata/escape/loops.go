// Variables of loops: one for each iteration since the language of Go 1.22.
package main

var (
	funcs    []func() int
	pointers []*int
	total    int
	values   = []int{1, 2, 3, 4}
)

//go:noinline
func keepFunc(i int, f func() int) { funcs[i] = f }

//go:noinline
func keepPointer(i int, p *int) { pointers[i] = p }

//go:noinline
func threeClauses() {
	for i := 0; i < 3; i++ { // want: confirmed_heap 1 @1.21; confirmed_heap 4 @1.24-
		keepPointer(i, &i)
	}
}

//go:noinline
func overRange() {
	for i, v := range values { // want: confirmed_heap 1 @1.21; confirmed_heap 4 @1.24-
		keepPointer(i, &v)
	}
}

//go:noinline
func captured() {
	for i := 0; i < 3; i++ { // want: confirmed_heap 1 @1.21
		keepFunc(i, func() int { return i }) // want: confirmed_heap 3
	}
}

//go:noinline
func inside() {
	for i := 0; i < 3; i++ {
		x := i // want: confirmed_heap 3
		keepPointer(i, &x)
	}
}

//go:noinline
func insideLocal() int {
	n := 0
	for i := 0; i < 3; i++ {
		x := i
		n += deref(&x)
	}
	return n
}

//go:noinline
func deref(p *int) int { return *p }

//go:noinline
func outside() {
	x := 0 // want: confirmed_heap 1
	for i := 0; i < 3; i++ {
		x += i
		keepPointer(i, &x)
	}
}

//go:noinline
func objectInLoop() int {
	n := 0
	var last *[2]int
	for i := 0; i < 3; i++ {
		p := &[2]int{i, n} // want: confirmed_heap 3
		if last != nil {
			n += last[0]
		}
		last = p
	}
	return n
}

func main() {
	funcs = make([]func() int, 4) // want: confirmed_heap 1
	pointers = make([]*int, 4) // want: confirmed_heap 1
	threeClauses()
	overRange()
	captured()
	inside()
	total += insideLocal()
	outside()
	total += objectInLoop()
	for _, f := range funcs[:3] {
		total += f()
	}
	println(total)
}
