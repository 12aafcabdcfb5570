// What loops carry from one round to the next, and what is reached through pointers that begin at a
// package-level variable, or at another one. All types are of one layout, so that nothing but the
// code tells them apart. The last ones are traps: an unsafe.Pointer may hold anything.
package main

import (
	"fmt"
	"os"
	"runtime"
	"time"
	"unsafe"
)

type layout struct {
	next *layout
	n    int
	more [2]*int
}

type (
	grown struct {
		next *grown
		n    int
		more [2]*int
	}
	walked struct {
		next *walked
		n    int
		more [2]*int
	}
	held struct {
		next *held
		n    int
		more [2]*int
	}
	odd struct {
		next *even
		n    int
		more [2]*int
	}
	even struct {
		next *odd
		n    int
		more [2]*int
	}
)

type trie struct {
	kids map[rune]*trie
	word string
	more *int
}

type other struct {
	kids map[string]*other
	word string
	more *int
}

var (
	never chan int
	sink  any
	total int
	words trie
	spare trie
	names = &trie{}
	late  *held
	later *held
	raws  struct{ p, q unsafe.Pointer }
)

//go:noinline
func one(n int) int { return n }

//go:noinline
func tell(at unsafe.Pointer, what string) {
	fmt.Printf("obj %#x %s\n", uintptr(at), what)
}

func told[T any](p *T) *T {
	tell(unsafe.Pointer(p), fmt.Sprintf("%T", *p))
	return p
}

//go:noinline
func ofGrown(c chan int) {
	var some []grown
	for i := 0; i < one(1000); i++ {
		some = append(some, grown{n: i})
		if i == 50 {
			tell(unsafe.Pointer(&some[0]), "[]main.grown")
			<-c
		}
	}
	sink = some
}

//go:noinline
func list(n int) (first *walked) {
	for i := 0; i < n; i++ {
		first = told(&walked{next: first, n: i})
	}
	return first
}

//go:noinline
func ofWalked(c chan int) {
	for n := list(one(6)); n != nil; n = n.next {
		if n.n == 3 {
			<-c
		}
		total += n.n
	}
}

//go:noinline
func (t *trie) put(word string) {
	for _, r := range word {
		if t.kids == nil {
			t.kids = map[rune]*trie{}
		}
		next := t.kids[r]
		if next == nil {
			next = told(&trie{})
			t.kids[r] = next
		}
		t = next
	}
	t.word = word
}

func add(word string) {
	t := &words
	if len(word) > one(5) {
		t = &spare
	}
	for _, r := range word {
		if t.kids == nil {
			t.kids = map[rune]*trie{}
		}
		next, ok := t.kids[r]
		if !ok {
			next = told(&trie{})
			t.kids[r] = next
		}
		t = next
	}
	t.word = word
}

// A frame so large that its function asks for the stack's end by an address below.
//
//go:noinline
func fillLate() {
	p := &held{n: one(1)}
	q := &held{n: one(2)}
	text := fmt.Sprint(one(1), "a", one(2), "b", one(3), "c", one(4), "d", one(5), "e", one(6), "f")
	p.n += len(text)
	later = q
	late = p
	tell(unsafe.Pointer(late), "main.held")
	tell(unsafe.Pointer(later), "main.held")
}

// What follows is not what its holder was at first.

//go:noinline
func ofLargeWritten(c chan int, at int) {
	var room [64]int
	var some [4]any
	some[1] = &odd{n: room[one(7)]}
	some[one(at)] = told(&even{n: one(1)})
	for i := range room {
		room[i] = one(i)
	}
	x := some[1]
	<-c
	sink = x
	total += room[one(3)]
}

//go:noinline
func ofTurns(c chan int) {
	p := unsafe.Pointer(&odd{next: &even{}})
	for i := 0; i < one(9); i++ {
		if i == 5 {
			<-c
		}
		p = unsafe.Pointer(told((*odd)(p).next))
		(*even)(p).next = &odd{next: &even{}}
		if i == 4 {
			continue
		}
		p = unsafe.Pointer(told((*even)(p).next))
	}
	*(*int)(p) = 1
}

func mixed(n int) {
	p := unsafe.Pointer(&raws)
	for i := 0; i < one(n); i++ {
		at := (*unsafe.Pointer)(p)
		if i%2 == 0 {
			m := map[rune]*trie{'a': told(&trie{})}
			*at = *(*unsafe.Pointer)(unsafe.Pointer(&m))
			m2 := *(*map[rune]*trie)(p)
			m2['b'] = told(&trie{})
		} else {
			m := map[string]*other{"a": told(&other{})}
			*at = *(*unsafe.Pointer)(unsafe.Pointer(&m))
			m2 := *(*map[string]*other)(p)
			m2["b"] = told(&other{})
		}
		p = unsafe.Pointer(&raws.q)
	}
}

func main() {
	go ofGrown(never)
	go ofWalked(never)
	go ofTurns(never)
	fillLate()
	go ofLargeWritten(never, 1)
	for _, word := range []string{"tree", "trie", "longer words"} {
		words.put(word + "x")
		names.put(word)
		add(word)
	}
	mixed(2)
	time.Sleep(50 * time.Millisecond)
	runtime.GC()
	runtime.GC()
	fmt.Println("ready")
	os.Stdin.Read(make([]byte, 1))
}
