// Objects of every kind. For each the program prints its address and what it is; then it stands.
package main

import (
	"bytes"
	"container/list"
	"fmt"
	"os"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"
)

type node struct {
	next *node
	name string
	val  any
}

type tree[K any, V any] struct {
	left, right *tree[K, V]
	key         K
	value       V
}

type big struct {
	head  *node
	table [100]*node
}

type huge struct {
	table [5000]*node
	tail  int
}

type embedded struct {
	node
	zero struct{}
	more []node
}

type numbers struct{ a, b, c int }

type shape interface{ area() float64 }
type square struct{ side float64 }

func (s *square) area() float64 { return s.side * s.side }

type circle struct {
	radius float64
	tag    *string
	more   [2]int
}

func (c circle) area() float64 { return c.radius }

type withBytes struct{ buf bytes.Buffer }

var (
	lists     *node
	trees     *tree[string, numbers]
	bigs      []*big
	hugeOne   *huge
	slices    [][]node
	pointers  []*node
	plain     []numbers
	strs      []string
	anys      []any
	shapes    []shape
	small     = map[string]*node{}
	large     = map[int]*numbers{}
	wide      = map[string][40]int{}
	sets      = map[string]struct{}{}
	channels  chan *node
	ints      chan int
	functions []func() int
	pool      sync.Pool
	once      sync.Map
	linked    = list.New()
	values    atomic.Pointer[numbers]
	any1      any
	embed     *embedded
	finalized *node
	pointee   **node
	arrays    *[300]*node
	fields    *int
	holder    *numbers
	builder   strings.Builder
	buffers   []*withBytes
	errs      []error
	timer     *time.Timer
	ticker    *time.Ticker
	out       = make([]byte, 0, 1<<20)
)

var never = make(chan bool)

//go:noinline
func escape[T any](p *T) *T { sunk = p; sunk = nil; return p }

var sunk any

func say(what string, pointer unsafe.Pointer) {
	fmt.Fprintf(os.Stdout, "obj %#x %s\n", uintptr(pointer), what)
}

func data[T any](s []T) unsafe.Pointer { return unsafe.Pointer(unsafe.SliceData(s)) }
func word(f any) unsafe.Pointer        { return (*[2]unsafe.Pointer)(unsafe.Pointer(&f))[1] }
func direct[T any](f T) unsafe.Pointer { return *(*unsafe.Pointer)(unsafe.Pointer(&f)) }
func text(s string) unsafe.Pointer     { return unsafe.Pointer(unsafe.StringData(s)) }
func long(i int) string                { return strings.Repeat("x", 40) + fmt.Sprint(i) }

//go:noinline
func make3() (func() int, func() int, func() int) {
	n, p, local := new(node), &numbers{1, 2, 3}, 0
	say("main.node", unsafe.Pointer(n))
	say("main.numbers", unsafe.Pointer(p))
	f := func() int { return len(n.name) + p.a }
	g := func() int { local++; return local }
	h := func() int { return p.b }
	return f, g, h
}

func fill() {
	for i := 0; i < 300; i++ {
		lists = &node{next: lists, name: long(i)}
	}
	say("main.node", unsafe.Pointer(lists))
	say("main.node", unsafe.Pointer(lists.next.next))
	say("string data", text(lists.next.name))
	for i := 0; i < 50; i++ {
		trees = &tree[string, numbers]{left: trees, right: &tree[string, numbers]{key: long(i)}, key: "k"}
	}
	say("main.tree[string,main.numbers]", unsafe.Pointer(trees))
	say("main.tree[string,main.numbers]", unsafe.Pointer(trees.left.right))
	for i := 0; i < 20; i++ {
		bigs = append(bigs, &big{head: &node{name: "h"}})
	}
	bigs[3].table[77] = &node{name: "in a big one"}
	say("main.big", unsafe.Pointer(bigs[3]))
	say("main.node", unsafe.Pointer(bigs[3].table[77]))
	say("[]*main.big backing", data(bigs))
	hugeOne = &huge{}
	hugeOne.table[4999] = &node{}
	say("main.huge", unsafe.Pointer(hugeOne))
	say("main.node", unsafe.Pointer(hugeOne.table[4999]))
	for i := 1; i < 60; i++ {
		slices = append(slices, make([]node, i))
	}
	slices[2][1].next = &node{name: "from a small array"}
	slices[50][49].next = &node{name: "from a larger array"}
	say("[]main.node backing", data(slices[2]))
	say("[]main.node backing", data(slices[50]))
	say("main.node", unsafe.Pointer(slices[2][1].next))
	say("main.node", unsafe.Pointer(slices[50][49].next))
	pointers = make([]*node, 100_000)
	pointers[99_999] = &node{}
	say("[]*main.node backing", data(pointers))
	say("main.node", unsafe.Pointer(pointers[99_999]))
	plain = make([]numbers, 1000)
	say("[]main.numbers backing", data(plain))
	strs = strings.Split(strings.Repeat("some words, ", 200), ",")
	say("[]string backing", data(strs))
	n := len(os.Args)
	anys = []any{&node{}, numbers{n, 2, 3}, "a string in an interface " + long(1), 1 << 40, long(2)[:30],
		[]int{1, 2, 3}, map[int]*numbers{}, func() int { return len(os.Args) }, (*node)(nil), circle{radius: float64(n)}}
	say("main.node", word(anys[0]))
	say("main.numbers", word(anys[1]))
	say("string", word(anys[2]))
	say("string data", text(anys[2].(string)))
	say("[]int", word(anys[5]))
	say("[]int backing", data(anys[5].([]int)))
	say("map[int]*main.numbers", word(anys[6]))
	say("main.circle", word(anys[9]))
	tag := long(5)
	shapes = []shape{&square{3}, circle{radius: 2, tag: &tag}}
	say("main.square", word(shapes[0]))
	say("main.circle", word(shapes[1]))
	say("string", unsafe.Pointer(&tag))
	small["one"] = &node{name: long(9)}
	say("map[string]*main.node", direct(small))
	say("main.node", unsafe.Pointer(small["one"]))
	for i := 0; i < 5000; i++ {
		large[i] = &numbers{i, i, i}
	}
	say("map[int]*main.numbers", direct(large))
	say("main.numbers", unsafe.Pointer(large[4321]))
	wide["w"] = [40]int{}
	for i := 0; i < 100; i++ {
		sets[long(i)] = struct{}{}
	}
	channels = make(chan *node, 10)
	channels <- &node{name: "in a channel"}
	say("chan *main.node", direct(channels))
	ints = make(chan int, 100)
	say("chan int", direct(ints))
	f, g, h := make3()
	functions = []func() int{f, g, h}
	say("closure main.make3.func1", direct(f))
	say("closure main.make3.func2", direct(g))
	say("closure main.make3.func3", direct(h))
	pool.Put(&numbers{})
	stored := &numbers{}
	for i := 0; i < 100; i++ {
		once.Store(i, &node{name: long(i)})
	}
	once.Store("key", stored)
	say("main.numbers", unsafe.Pointer(stored))
	timer, ticker = time.AfterFunc(time.Hour, func() {}), time.NewTicker(time.Hour)
	say("time.Timer", unsafe.Pointer(timer))
	say("time.Ticker", unsafe.Pointer(ticker))
	say("chan time.Time", direct(ticker.C))
	for i := 0; i < 10; i++ {
		linked.PushBack(&node{name: "in a list"})
	}
	say("container/list.List", unsafe.Pointer(linked))
	say("container/list.Element", unsafe.Pointer(linked.Front().Next()))
	say("main.node", word(linked.Front().Next().Value))
	v := &numbers{7, 8, 9}
	values.Store(v)
	say("main.numbers", unsafe.Pointer(v))
	any1 = reflect.New(reflect.TypeOf(circle{})).Interface()
	say("main.circle", word(any1))
	embed = &embedded{more: make([]node, 3)}
	embed.node.next = &node{}
	say("main.embedded", unsafe.Pointer(embed))
	say("main.node", unsafe.Pointer(embed.node.next))
	finalized = &node{name: "finalized"}
	runtime.SetFinalizer(finalized, func(n *node) {})
	inner := &node{}
	pointee = &inner
	say("*main.node", unsafe.Pointer(pointee))
	arrays = &[300]*node{5: {}}
	say("[300]*main.node", unsafe.Pointer(arrays))
	say("main.node", unsafe.Pointer(arrays[5]))
	holder = &numbers{}
	fields = &holder.b
	say("main.numbers", unsafe.Pointer(holder))
	builder.WriteString(long(3))
	for i := 0; i < 5; i++ {
		b := &withBytes{}
		b.buf.WriteString(long(i) + long(i) + long(i))
		buffers = append(buffers, b)
	}
	say("main.withBytes", unsafe.Pointer(buffers[2]))
	say("[]uint8 backing", data(buffers[2].buf.Bytes()))
	errs = append(errs, fmt.Errorf("an error %d", 5))
	say("*fmt.wrapError or fmt.errorString", word(errs[0]))
}

//go:noinline
func onStack(depth int, ready chan bool) {
	local := escape(&tree[int, *node]{key: depth, value: &node{name: "only the stack knows"}})
	words := make([]*tree[int, *node], 20)
	words[7] = escape(&tree[int, *node]{key: 8})
	say("main.tree[int,*main.node]", unsafe.Pointer(local))
	say("main.node", unsafe.Pointer(local.value))
	say("anything", unsafe.Pointer(words[7])) // no variable is left that leads to it
	ready <- true
	<-never
	runtime.KeepAlive(local)
	runtime.KeepAlive(words)
}

// A *T is a go.shape.*uint8 to generic code, but no pointer to a byte.
//
//go:noinline
func generic[T any](value *T, ready chan bool) {
	boxed := escape(&value)
	ready <- true
	<-never
	runtime.KeepAlive(boxed)
}

func main() {
	fill()
	pointed := escape(&numbers{})
	say("anything but uint8", unsafe.Pointer(pointed))
	ready := make(chan bool)
	for i := 0; i < 3; i++ {
		go onStack(i, ready)
		<-ready
	}
	go generic(&pointed, ready)
	<-ready
	runtime.GC()
	runtime.GC()
	fmt.Println("ready")
	os.Stdin.Read(make([]byte, 1))
	runtime.KeepAlive(fields)
}
