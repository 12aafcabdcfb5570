// Frames with large variables: what describes them is of another kind, and what the runtime takes
// for the beginning of an array without an end has much that it may claim.
package main

import (
	"fmt"
	"os"
	"runtime"
	"time"
)

type node struct{ id [5]int }

type large struct {
	first *node
	many  [20000]*node
	last  *node
}

var (
	never = make(chan bool)
	texts = make(chan string)
)

//go:noinline
func made(name string) *node {
	n := new(node)
	fmt.Printf("%s %p\n", name, n)
	return n
}

//go:noinline
func fill(v *large) {
	v.first, v.last = made("first"), made("last")
	for _, i := range []int{0, 1, 7777, 19999} {
		v.many[i] = made("one")
	}
}

//go:noinline
func blank(gap *[60000]uint16) { gap[len(never)] = 0 }

//go:noinline
func use(values ...any) { runtime.KeepAlive(values) }

// The variable is reached by its address only: the frame that it lies in needs it no more.
//
//go:noinline
func holds() {
	var v large
	fill(&v)
	waits(&v)
}

//go:noinline
func waits(v *large) {
	<-never
	runtime.KeepAlive(v)
}

// The cases of a select lie below the large variables, and words without a name between those.
//
//go:noinline
func selects(a, b *node) {
	var v large
	fill(&v)
	var gap [60000]uint16
	blank(&gap)
	words := [4]any{made("word0"), made("word1"), a, b}
	text := fmt.Sprint(len(words))
	for _, n := range []*node{made("ranged0"), made("ranged1")} {
		select {
		case <-never:
		case texts <- text:
		case s := <-texts:
			use(s, n)
		}
	}
	use(words[0], words[1], words[2], words[3])
	blank(&gap)
	runtime.KeepAlive(&v)
}

// The array behind the slice lies in the frame.
//
//go:noinline
func slices(n *node) {
	sliced := make([]*node, 3)
	sliced[len(texts)+1] = n
	<-never
	runtime.KeepAlive(sliced)
}

func main() {
	go slices(made("sliced"))
	go holds()
	time.Sleep(50 * time.Millisecond)
	go selects(made("a"), made("b"))
	time.Sleep(100 * time.Millisecond)
	runtime.GC()
	fmt.Println("ready")
	os.Stdin.Read(make([]byte, 1))
}
