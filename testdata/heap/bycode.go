// Objects that only package-level variables and closures lead to, and whose types therefore only
// the code tells in a stripped program. It prints each with the type that it has.
package main

import (
	"fmt"
	"os"
	"reflect"
	"strings"
	"sync"
	"unsafe"
)

type record struct {
	name  string
	next  *record
	count int
}

func (r *record) String() string { return fmt.Sprint(r.name, r.count) }

//go:noinline
func (r *record) grow() { r.count++ }

type plain struct {
	left, right *plain
	weight      [3]int
}

type base struct {
	id   *int
	kind int
}

//go:noinline
func (b *base) bump() { b.kind++ }

type outer struct {
	base
	more [20]*int
}

type shape interface{ area() int }
type square struct {
	side  *int
	title string
}
type circle struct {
	radius, centre *int
	kind           int
}

//go:noinline
func (s *square) area() int { return *s.side }

//go:noinline
func (c *circle) area() int { return *c.radius }

type fixed struct {
	head  *int
	cells [8]*plain
	tail  int
}

type limits struct {
	sync.Mutex
	low, high *record
}

//go:noinline
func (l *limits) set(low, high *record) { l.low, l.high = low, high }

var (
	byMethod  *record
	byStore   *plain
	byResult  *record
	byCopy    *record
	promoted  *outer
	made      []*plain
	grown     []plain
	resliced  []*plain
	small     map[int]*plain
	channel   chan *plain
	text      string
	figure    shape
	bag       sync.Pool
	edges     limits
	either    unsafe.Pointer
	calls     []func() int
	scattered struct{ a, b *plain }
	shared    sync.Map
	command   = &options{name: "static"}
	reflected []reflect.Value
	asked     int
)

type options struct {
	name string
	kept *record
	next *options
}

//go:noinline
func (o *options) fill(r *record) { o.kept = r }

//go:noinline
func share(r *record) {
	shared.Store("key", r)
	command.fill(&record{name: "kept"})
	reflected = append(reflected, reflect.ValueOf(r), reflect.ValueOf(*r))
	ask(r)
}

//go:noinline
func ask(value any) {
	for i := 0; i < 2000; i++ {
		if _, ok := value.(interface{ String() string }); ok {
			asked++
		}
	}
}

//go:noinline
func newRecord(name string) *record {
	if name == "" {
		return nil
	}
	return &record{name: name}
}

//go:noinline
func makeAll(n int) {
	byMethod = (*record)(nil)
	byMethod = newRecord("method")
	byMethod.grow()
	byStore = &plain{weight: [3]int{n}}
	byResult = newRecord(strings.Repeat("r", n))
	byCopy = byResult
	promoted = &outer{}
	promoted.bump()
	made = make([]*plain, n)
	resliced = make([]*plain, 4)
	small = map[int]*plain{}
	channel = make(chan *plain)
	text = strings.Repeat("t", 40)
	scattered.a = &plain{}
	scattered.b = &plain{weight: [3]int{n}}
}

//go:noinline
func growAll(n int) {
	for i := 0; i < n; i++ {
		grown = append(grown, plain{weight: [3]int{i}})
	}
	small[n] = &plain{}
	edges.set(&record{name: "low"}, &record{name: "high"})
	bag.Put(&record{name: "pooled"})
}

//go:noinline
func confuse(n int, f *fixed) {
	type record struct { // another of this name
		only [2]*int
	}
	resliced = f.cells[:]
	either = unsafe.Pointer(&plain{})
	if n > 100 {
		either = unsafe.Pointer(&circle{})
	}
	if c, ok := figure.(*circle); ok {
		c.area()
	}
	fmt.Fprint(new(strings.Builder), &record{})
}

//go:noinline
func capture(n int, r *record, p *plain) func() int {
	count := n
	return func() int {
		count++
		return count + r.count + p.weight[0]
	}
}

func tell(name string, at unsafe.Pointer) { fmt.Printf("%s %p\n", name, at) }

func main() {
	side, f := len(os.Args), &fixed{}
	figure = &square{side: &side}
	makeAll(5)
	growAll(3)
	confuse(side, f)
	r, p := &record{name: "captured"}, &plain{}
	calls = append(calls, capture(7, r, p))
	stored := &record{name: "shared"}
	share(stored)
	tell("*main.record", unsafe.Pointer(byMethod))
	tell("*main.plain", unsafe.Pointer(byStore))
	tell("*main.record", unsafe.Pointer(byResult))
	tell("*main.outer", unsafe.Pointer(promoted))
	tell("[]*main.plain", unsafe.Pointer(unsafe.SliceData(made)))
	tell("[]main.plain", unsafe.Pointer(unsafe.SliceData(grown)))
	tell("?*main.fixed", unsafe.Pointer(f))
	tell("map[int]*main.plain", *(*unsafe.Pointer)(unsafe.Pointer(&small)))
	tell("chan *main.plain", *(*unsafe.Pointer)(unsafe.Pointer(&channel)))
	tell("string", unsafe.Pointer(unsafe.StringData(text)))
	tell("*main.square", unsafe.Pointer(figure.(*square)))
	tell("?*main.record", unsafe.Pointer(edges.low))
	tell("?*main.record", unsafe.Pointer(edges.high))
	tell("?*main.plain", either)
	tell("*main.plain", unsafe.Pointer(scattered.a))
	tell("*main.plain", unsafe.Pointer(scattered.b))
	tell("*main.record", unsafe.Pointer(r))
	tell("*main.plain", unsafe.Pointer(p))
	tell("*main.record", unsafe.Pointer(stored))
	tell("*main.record", unsafe.Pointer(command.kept))
	f, r, p, stored = nil, nil, nil, nil
	fmt.Println("ready")
	os.Stdin.Read(make([]byte, 1))
	fmt.Println(byMethod, byStore, byResult, byCopy, promoted, made, grown, resliced, small, channel,
		text, figure, edges.low, either, calls[0](), scattered, bag.Get(),
		command, reflected, asked)
	shared.Range(func(key, value any) bool { return true })
}
