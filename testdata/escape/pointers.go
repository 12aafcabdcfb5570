// What & and new allocate, and what keeps it on the stack.
package main

import "os"

type point struct{ x, y int }

type node struct {
	next *node
	v    int
}

type empty struct{}

var (
	sink   any
	keep   *point
	global *int
	list   *node
	total  int
	never  = len(os.Args) > 1000
)

//go:noinline
func returned(i int) *point {
	return &point{i, i} // want: confirmed_heap 3
}

//go:noinline
func newReturned() *int {
	return new(int) // want: confirmed_heap 3
}

//go:noinline
func movedToHeap(i int) *int {
	x := i // want: confirmed_heap 3
	return &x
}

//go:noinline
func use(p *point) int { return p.x + p.y }

//go:noinline
func onStack(i int) int {
	p := &point{i, 2} // want: confirmed_stack 3
	return use(p)
}

//go:noinline
func newOnStack(i int) int {
	p := new(point) // want: confirmed_stack 3
	p.x = i
	return use(p)
}

//go:noinline
func addressOnStack(i int) int {
	v := point{i, 3}
	return use(&v)
}

//go:noinline
func inRegisters(i int) int {
	p := &point{i, 4} // want: elided
	return p.x*2 + p.y
}

//go:noinline
func toGlobal(i int) {
	keep = &point{i, 5} // want: confirmed_heap 3
}

//go:noinline
func toGlobalField(i int) {
	list = &node{list, i} // want: confirmed_heap 3
}

//go:noinline
func zeroSize() *empty {
	return &empty{} // want: static
}

//go:noinline
func zeroArray() *[0]int {
	return new([0]int) // want: static
}

//go:noinline
func unreached() *point {
	if never {
		return &point{9, 9} // want: not_reached 0
	}
	return nil
}

// uncalled is nowhere used: the linker leaves it out.
func uncalled() *point {
	return &point{8, 8} // want: dead
}

//go:noinline
func conditional(i int) *point {
	p := &point{i, 6} // want: confirmed_heap 3
	if i%2 == 0 {
		return p
	}
	return nil
}

//go:noinline
func parameterMoved(i int) *int { // want: confirmed_heap 3
	return &i
}

//go:noinline
func twoOnOneLine(i int) (*point, *node) {
	return &point{i, 7}, &node{nil, i} // want: confirmed_heap 3; confirmed_heap 3
}

//go:noinline
func nested(i int) **point {
	p := &point{i, 8} // want: confirmed_heap 3; confirmed_heap 3
	return &p
}

//go:noinline
func throughChannel(c chan *point, i int) {
	c <- &point{i, 9} // want: confirmed_heap 1
}

//go:noinline
func intoSlice(s []*point, i int) {
	s[0] = &point{i, 10} // want: confirmed_heap 1
}

//go:noinline
func intoMap(m map[int]*point, i int) {
	m[0] = &point{i, 11} // want: confirmed_stack 1; confirmed_heap 1
}

//go:noinline
func bigArray(i int) int {
	var a [8192]int
	for j := range a {
		a[j] = i
	}
	return touch(&a)
}

//go:noinline
func touch(a *[8192]int) int { return a[1] + a[len(a)-1] }

//go:noinline
func hugeArray(i int) int {
	var a [17 << 20]byte // want: confirmed_heap 1
	return touchHuge(&a, i)
}

//go:noinline
func touchHuge(a *[17 << 20]byte, i int) int {
	a[i] = 1
	return int(a[i])
}

//go:noinline
func bigNew(i int) int {
	p := new([9000]int) // want: confirmed_heap 1
	p[i] = 1
	return touchBig(p, i)
}

//go:noinline
func touchBig(p *[9000]int, i int) int { return p[i] }

//go:noinline
func namedResult(i int) (out point, p *point) { // want: confirmed_heap 1
	out.x = i
	p = &out
	return
}

//go:noinline
func selfReferential() *node {
	n := &node{} // want: confirmed_heap 1
	n.next = n
	return n
}

//go:noinline
func swallow(p *point) { sink = p }

func main() {
	for i := 0; i < 3; i++ {
		total += returned(i).x
		total += *newReturned()
		total += *movedToHeap(i)
		total += onStack(i) + newOnStack(i) + addressOnStack(i) + inRegisters(i)
		toGlobal(i)
		toGlobalField(i)
		if zeroSize() != nil && zeroArray() != nil {
			total++
		}
		if p := unreached(); p != nil {
			total++
		}
		if p := conditional(i); p != nil {
			total++
		}
		total += *parameterMoved(i)
		a, b := twoOnOneLine(i)
		total += a.x + b.v + (*nested(i)).x
	}
	c := make(chan *point, 1) // want: unpredicted 1
	throughChannel(c, 1)
	swallow(<-c)
	s := make([]*point, 1) // want: confirmed_stack 1
	intoSlice(s, 1)
	swallow(s[0])
	m := map[int]*point{0: nil} // want: confirmed_stack 1
	intoMap(m, 2)
	swallow(m[0])
	total += bigArray(1) + hugeArray(1) + bigNew(1)
	o, p := namedResult(3)
	total += o.x + p.x
	total += selfReferential().next.v
	println(total)
}
