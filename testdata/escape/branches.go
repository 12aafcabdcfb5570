// Memory of frames on lines of which a part runs, or none.
package main

type point struct{ x, y int }

type link struct {
	value int
	next  *link
}

func (p *point) sum() int { return p.x + p.y }

type adder interface{ sum() int }

var total int

//go:noinline
func use(p *[4]int) int { return p[0] }

//go:noinline
func usePoint(p *point) int { return p.x + p.y }

func chain(n int) *link {
	if n == 0 {
		return &link{} // want: confirmed_heap 1
	}
	return &link{n, chain(n - 1)} // want: confirmed_heap 3 @1.21; confirmed_heap 1 @1.24-; not_reached 0 @1.24-; confirmed_heap 1 @1.24-
}

// Both things of the line may lie in the frame, the second does.
//
//go:noinline
func oneOfTwo(n int) int {
	acc := n
	if n > 100 {
		var a adder = &point{n, 2} // want: not_reached 0 @-1.24; elided @1.25-
		acc += a.sum()
	}
	total++
	acc += chain(n).value // want: unobserved @1.24-; unobserved @1.24-
	total++
	return acc
}

// What lies below the block is somebody else's memory.
//
//go:noinline
func leftOut(n int) int {
	var other [4]int
	if n > 100 {
		p := &point{n, 2} // want: elided
		n += p.x
	}
	return n + use(&other)
}

//go:noinline
func eitherWay(n int) int {
	if n > 2 { return usePoint(&point{n, 1}) } // want: confirmed_stack 1
	if n > 1 { return usePoint(&point{n, 2}) } // want: not_reached 0
	return n
}

//go:noinline
func both(n int) int {
	return usePoint(&point{n, 1}) + use(&[4]int{n}) // want: confirmed_stack 1; confirmed_stack 1
}

//go:noinline
func noneOfBoth(n int) int {
	if n > 100 {
		n = usePoint(&point{n, 1}) + use(&[4]int{n}) // want: not_reached 0; not_reached 0
	}
	return n
}

//go:noinline
func shortCut(n int) int {
	if n > 2 || usePoint(&point{n, 1}) > 7 { // want: not_reached
		n++
	}
	return n
}

// No code is made of it; its function is there.
//
//go:noinline
func afterALiteral(n int) int {
	x := &[2]any{ // want: elided
		func() int { return n }, // want: elided
		n * 1000, // want: elided
	}
	return n + len(x)
}

var kept *point

//go:noinline
func keep(n int) { kept = &point{n, n} } // want: confirmed_heap 6

func main() {
	for i := 0; i < 6; i++ {
		keep(i)
	}
	total += oneOfTwo(3) + leftOut(3) + eitherWay(3) + both(3) + noneOfBoth(3) + shortCut(3) + afterALiteral(3)
}
