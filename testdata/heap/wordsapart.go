// Goroutines that wait, and hold what lies behind a word of an interface, a slice or a string that
// the optimiser keeps by itself: the words of one variable lie in different places of the frame.
package main

import (
	"fmt"
	"os"
	"time"
	"unsafe"
)

type doer interface{ do() int }

type pair struct{ a, b int }
type big [40]uint64
type node struct {
	n    int
	next *int
}

func (p pair) do() int  { return p.a }
func (b big) do() int   { return int(b[0]) }
func (n *node) do() int { n.n++; return n.n }

type mixed struct {
	value any
	some  []node
	text  string
}

var never chan int
var total int

//go:noinline
func one(n int) int { return n }

//go:noinline
func boxed(n int) doer { return pair{n, one(n)} }

//go:noinline
func large(n int) doer { return big{uint64(n)} }

//go:noinline
func pointer(n int) doer { return &node{n: n} }

//go:noinline
func anything(n int) any { return pair{n, one(n)} }

//go:noinline
func nodes(n int) []node { return make([]node, n) }

//go:noinline
func bytes(n int) []byte { return make([]byte, n) }

//go:noinline
func text(n int) string { return fmt.Sprint("a text that is longer than tiny objects are ", n) }

//go:noinline
func mixture(n int) mixed { return mixed{anything(n), nodes(n), text(n)} }

//go:noinline
func tellDoer(x doer, what string) { tell((*[2]uintptr)(unsafe.Pointer(&x))[1], what) }

//go:noinline
func tellAny(x any, what string) { tell((*[2]uintptr)(unsafe.Pointer(&x))[1], what) }

//go:noinline
func tell(at uintptr, what string) { fmt.Printf("obj %#x %s\n", at, what) }

//go:noinline
func single(n int) {
	x := boxed(n)
	tellDoer(x, "main.pair")
	<-never
	total += x.do()
}

//go:noinline
func several(n int) {
	x, y, z := boxed(n), large(n), pointer(n)
	tellDoer(x, "main.pair")
	tellDoer(y, "main.big")
	tellDoer(z, "main.node")
	<-never
	total += x.do() + y.do() + z.do()
}

//go:noinline
func asserted(x any) {
	tellAny(x, "main.pair")
	<-never
	if p, ok := x.(pair); ok {
		total += p.a
	}
}

//go:noinline
func slices(n int) {
	s, b, t := nodes(n), bytes(100*n), text(n)
	tell(uintptr(unsafe.Pointer(unsafe.SliceData(s))), "[]main.node backing")
	tell(uintptr(unsafe.Pointer(unsafe.SliceData(b))), "[]uint8 backing")
	tell(uintptr(unsafe.Pointer(unsafe.StringData(t))), "string data")
	<-never
	total += s[one(1)].n + int(b[one(1)]) + len(t[one(1):]) + len(fmt.Sprint(t))
}

//go:noinline
func parts(n int) {
	m := mixture(n)
	tellAny(m.value, "main.pair")
	tell(uintptr(unsafe.Pointer(unsafe.SliceData(m.some))), "[]main.node backing")
	tell(uintptr(unsafe.Pointer(unsafe.StringData(m.text))), "string data")
	<-never
	p, _ := m.value.(pair)
	total += p.a + m.some[one(1)].n + len(fmt.Sprint(m.text))
}

func main() {
	go single(1)
	go several(2)
	go asserted(anything(3))
	go slices(4)
	go parts(5)
	time.Sleep(20 * time.Millisecond)
	fmt.Println("ready")
	os.Stdin.Read(make([]byte, 1))
}
