// Objects that no pointer to their beginning, of their own type, leads to. Each is told with its
// type; "part" is what may be said instead: another true statement.
package main

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"time"
	"unsafe"
)

type page [4000]byte
type scratch [6000]byte
type job [5000]byte
type answer [8000]byte
type boxed [7000]byte
type sheet [4000]byte

// An intrusive list: known by a pointer into the middle.
type link struct {
	next *link
	data *page
}
type item struct {
	id   int
	name string
	hook link
}

// One whose hook comes first: a pointer to it may be one to a link that is alone.
type node struct {
	link
	name string
}

// Larger by what is no pointer, in the same slot: nothing but its contents tells it from a base.
type base struct {
	next *base
	text string
	more [2]uint64
}
type derived struct {
	base
	count uint8
}

// Larger by a pointer, in the same slot as what it begins with, which is all that it is known by:
// what lies behind that is not the beginning of another of these.
type start struct {
	data *page
	more [32]byte
}
type whole struct {
	start
	last *sheet
}
type way struct {
	next *way
	last *sheet
}

// Several larger ones, with pointers at the same words, begin with what it is known by.
type inner struct {
	more [20]uint64
	data *page
}
type middle struct {
	inner
	last *sheet
}
type around struct{ middle }

// Known by a slice of an array in it.
type frame struct {
	size  int
	words [9]*page
}

// Known by a pointer to an element in the middle of an array.
type pair struct {
	left *page
	size int
}

// Known by fields alone.
type settings struct {
	name  string
	limit *int
	tags  []string
	extra [3]*settings
}

type reply struct {
	err  error
	body *answer
	n    int
}

var (
	head     *link
	nodes    *link
	bases    []*base
	words    []*page
	element  *pair
	begun    *start
	first    *inner
	rival    any = new(around)
	ways     *way
	setting  *[]string
	pool     = sync.Pool{}
	boxes    = sync.Pool{New: func() any { return new(boxed) }}
	never    = make(chan struct{})
	answers  = make(chan *answer)
	replies  = make(chan reply)
	anything = make(chan any)
	texts    = make(chan string)
	parts    = make(chan []*page)
	full     = make(chan *page, 3)
)

func say(what string, pointer unsafe.Pointer) {
	fmt.Printf("obj %#x %s\n", uintptr(pointer), what)
}

func data[T any](s []T) unsafe.Pointer { return unsafe.Pointer(unsafe.SliceData(s)) }

//go:noinline
func fresh[T any](what string) *T {
	made := new(T)
	say(what, unsafe.Pointer(made))
	return made
}

//go:noinline
func list() {
	for i := 0; i < 10; i++ {
		it := fresh[item]("main.item")
		it.id, it.name = i, strings.Repeat("item", 5)
		it.hook.next, it.hook.data = head, fresh[page]("main.page")
		head = &it.hook
		n := fresh[node]("main.node")
		n.link.next, n.name = nodes, strings.Repeat("node", 7)
		nodes = &n.link
		d := fresh[derived]("main.derived | main.base or main.derived")
		if i == 0 {
			d.count = 7
		}
		bases = append(bases, &d.base)
	}
	f := fresh[frame]("main.frame")
	f.words[2] = fresh[page]("main.page")
	words = f.words[:]
	pairs := make([]pair, 7)
	say("[]main.pair backing", data(pairs))
	pairs[3].left = fresh[page]("main.page")
	element = &pairs[3]
	w := fresh[whole]("main.whole | main.start or main.whole")
	w.data, w.last = fresh[page]("main.page"), fresh[sheet]("main.sheet")
	begun, ways = &w.start, &way{&way{&way{nil, w.last}, nil}, nil}
	first = &fresh[middle]("main.middle | main.middle or main.around | object beginning with main.inner").inner
	s := fresh[settings]("main.settings")
	s.tags = make([]string, 3)
	s.extra[1] = fresh[settings]("main.settings")
	setting = &s.tags
}

//go:noinline
func pools() {
	for i := 0; i < 20; i++ {
		pool.Put(fresh[scratch]("main.scratch"))
		boxes.Put(fresh[boxed]("main.boxed"))
	}
	pool.Put(make([]*page, 4))
}

//go:noinline
func timers() {
	for i := 0; i < 5; i++ {
		j := fresh[job]("main.job")
		time.AfterFunc(time.Hour, func() { j[0]++ })
	}
}

// Known by a method value alone.
type handler struct {
	name string
	next *sheet
}

func (h *handler) serve() { h.name += "." }

var served []func()

//go:noinline
func handlers() {
	for i := 0; i < 5; i++ {
		served = append(served, fresh[handler]("main.handler").serve)
	}
}

type lone struct{ next *int }

type wide [33]int

var lones, wides = make(chan *lone), make(chan *wide)

// What closures hold by value and send is not what they hold by reference and count.
//
//go:noinline
func captured() {
	a, b := fresh[lone]("main.lone"), fresh[wide]("main.wide")
	counted := fresh[lone]("main.lone")
	go func() { lones <- a }()
	go func() { wides <- b }()
	change := func() { counted = &lone{} }
	if len(os.Args) > 5 {
		change()
	}
	go func() { lones <- counted; change() }()
}

//go:noinline
func sender(i int) {
	switch i {
	case 0:
		answers <- fresh[answer]("main.answer")
	case 1:
		replies <- reply{body: fresh[answer]("main.answer"), err: fmt.Errorf("no %d", i)}
	case 2:
		anything <- fresh[page]("main.page")
	case 3:
		text := strings.Repeat("text", 20)
		say("string data", unsafe.Pointer(unsafe.StringData(text)))
		texts <- text
	case 4:
		s := make([]*page, 5)
		say("[]*main.page backing", data(s))
		parts <- s
	case 5:
		select {
		case answers <- fresh[answer]("main.answer"):
		case anything <- fresh[scratch]("main.scratch"):
		case <-never:
		}
	default:
		full <- fresh[page]("main.page")
	}
}

func main() {
	list()
	timers()
	handlers()
	for i := 0; i < 11; i++ {
		go sender(i)
	}
	captured()
	time.Sleep(50 * time.Millisecond)
	runtime.GC()
	runtime.GC()
	pools()
	fmt.Println("ready")
	os.Stdin.Read(make([]byte, 1))
}
