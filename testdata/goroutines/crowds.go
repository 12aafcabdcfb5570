// Crowds of goroutines in frames whose variables have addresses: selects, buffers, what leads to
// one's own stack or does not, by turns.
package main

import (
	"fmt"
	"os"
)

type obj struct {
	id   int
	next *obj
}

type pair struct{ one, other *obj }

var (
	never = make(chan *obj)
	some  = make(chan obj)
	texts = make(chan string)
)

//go:noinline
func use(p *pair) int { return p.one.id }

//go:noinline
func point(to **obj, first, second *obj, i int) **obj {
	if i%2 == 0 {
		*to = second
	}
	return to
}

//go:noinline
func selects(a chan *obj, b chan string) {
	select {
	case x := <-a:
		x.id++
	case <-b:
	}
}

//go:noinline
func selectsToSend(a chan *obj, b chan obj, o *obj) {
	value := obj{1, o}
	select {
	case a <- o:
	case b <- value:
	}
}

//go:noinline
func sends(o *obj) {
	some <- obj{2, o}
	o.id++
}

//go:noinline
func ownPair(i int) int {
	p := pair{&obj{id: i}, nil}
	q := pair{nil, &obj{id: i}}
	at := &p
	if i%3 == 0 {
		at = &q
	}
	<-never
	return use(at) + use(&p) + use(&q)
}

//go:noinline
func ownPointer(i int) int {
	var here *obj
	to := point(&here, nil, &obj{id: i}, i)
	<-texts
	return (*to).id
}

//go:noinline
func deep(n int, o *obj) {
	if n == 0 {
		<-never
		return
	}
	deep(n-1, &obj{id: n, next: o})
	o.id++
}

//go:noinline
func slices(i int) int {
	var room [4]*obj
	held := room[:i%3+1]
	for k := range held {
		held[k] = &obj{id: k}
	}
	<-texts
	return held[0].id
}

func main() {
	for i := range [300]int{} {
		own := make(chan *obj)
		go selects(own, texts)
		go selects(never, make(chan string))
		go selectsToSend(own, some, &obj{id: i})
		go sends(&obj{id: i})
		go ownPair(i)
		go ownPointer(i)
		go deep(10, &obj{id: i})
		go slices(i)
		o := &obj{id: i}
		go func() { o.id = len(<-texts) }()
		defers := i%2 == 0
		go func() {
			if defers {
				defer fmt.Println(o)
			}
			<-never
		}()
	}
	for i := range [64]int{} {
		go func() { select {} }()
		_ = i
	}
	fmt.Println("ready")
	var rest [1]byte
	os.Stdin.Read(rest[:])
}
