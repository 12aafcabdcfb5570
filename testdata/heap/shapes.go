// A heap of one shape, of about so many objects:
//
//	shapes NAME OBJECTS
//
// It prints "ready" and stands until its stdin ends. Shapes that need very many types are written
// by scripts/benchmarks/manytypes.py instead.
package main

import (
	list_ "container/list"
	"context"
	"fmt"
	"math/rand"
	"os"
	"reflect"
	"runtime"
	"runtime/debug"
	"strconv"
	"sync"
)

var (
	keeps []any
	never = make(chan int)
)

func hold[T any](value T) { keeps = append(keeps, value) }

type link struct {
	next *link
	id   int
}

func list(n int) {
	var head *link
	for i := 0; i < n; i++ {
		head = &link{head, i}
	}
	hold(head)
}

func ring(n int) {
	first := &link{}
	head := first
	for i := 0; i < n; i++ {
		head = &link{head, i}
	}
	first.next = head
	hold(first)
}

type rung struct{ left, right *rung }

// Two rails, each node pointing at both of the next level.
func ladder(n int) {
	var a, b *rung
	for i := 0; i < n / 2; i++ {
		a, b = &rung{a, b}, &rung{a, b}
	}
	hold(&rung{a, b})
}

type large struct {
	next *large
	refs [80]*link
}

func larges(n int) {
	var head *large
	for i := 0; i < n / 2; i++ {
		head = &large{next: head}
		head.refs[i%80] = &link{id: i}
	}
	hold(head)
}

func syncMap(n int) {
	var m sync.Map
	for i := 0; i < n / 4; i++ {
		m.Store(i, &link{id: i})
	}
	hold(&m)
}

// Nine of ten are freed: spans are nearly empty.
func sparse(n int) {
	all := make([]*link, 10*n)
	for i := range all {
		all[i] = &link{id: i}
	}
	kept := make([]*link, 0, n)
	for i := 0; i < len(all); i += 10 {
		kept = append(kept, all[i])
	}
	hold(kept)
}

type vertex struct {
	to [8]*vertex
	id int
}

func vertices(n int, to func(chance *rand.Rand, i int) int) {
	chance := rand.New(rand.NewSource(1))
	nodes := make([]*vertex, n)
	for i := range nodes {
		nodes[i] = &vertex{id: i}
	}
	for i, v := range nodes {
		for k := range v.to {
			if j := to(chance, i); j < n {
				v.to[k] = nodes[j]
			}
		}
	}
	hold(nodes)
}

func random(n int) { vertices(n, func(c *rand.Rand, i int) int { return c.Intn(n) }) }

func layered(n int) {
	const width = 1000
	vertices(n, func(c *rand.Rand, i int) int { return (i/width+1)*width + c.Intn(width) })
}

func finalizers(n int) {
	all := make([]*link, n)
	for i := range all {
		all[i] = &link{id: i}
		runtime.SetFinalizer(all[i], func(l *link) {})
	}
	hold(all)
}

// Chains of different kinds: each is of ten objects, and all hang in one slice.
type (
	alpha struct {
		next *beta
		id   int
	}
	beta struct {
		next *alpha
		id   int
	}
	family struct {
		Kids []*family
		id   int
	}
	twice  struct{ next **twice }
	mapped struct{ next map[int]*mapped }
	boxed  struct{ next any }
)

func chains[T any](n int, make_ func() T) {
	all := make([]T, n/10)
	for i := range all {
		all[i] = make_()
	}
	hold(all)
}

func chainsAB(n int) {
	chains(n, func() (a *alpha) {
		for i := 0; i < 5; i++ {
			a = &alpha{&beta{a, i}, i}
		}
		return a
	})
}

func chainsKids(n int) {
	chains(n, func() (f *family) {
		for i := 0; i < 5; i++ {
			f = &family{[]*family{f}, i}
		}
		return f
	})
}

func chainsTwice(n int) {
	chains(n, func() *twice {
		t := &twice{}
		for i := 0; i < 5; i++ {
			p := new(*twice)
			*p = t
			t = &twice{p}
		}
		return t
	})
}

func chainsFuncs(n int) {
	chains(n, func() func() int {
		f := func() int { return 1 }
		for i := 0; i < 10; i++ {
			g := f
			f = func() int { return g() + i }
		}
		return f
	})
}

func chainsMaps(n int) {
	chains(n, func() (m *mapped) {
		for i := 0; i < 3; i++ {
			m = &mapped{map[int]*mapped{1: m}}
		}
		return m
	})
}

func chainsAny(n int) {
	chains(n, func() any {
		var b any = 1
		for i := 0; i < 10; i++ {
			b = &boxed{b}
		}
		return b
	})
}

func chainsErrors(n int) {
	chains(n, func() error {
		err := os.ErrNotExist
		for i := 0; i < 5; i++ {
			err = fmt.Errorf("outer: %w", err)
		}
		return err
	})
}

func chainsContexts(n int) {
	chains(n, func() context.Context {
		ctx := context.Background()
		for i := 0; i < 5; i++ {
			ctx = context.WithValue(ctx, link{id: i}, i)
		}
		return ctx
	})
}

// One chain of all objects, of two types in turn.
func chainAB(n int) {
	var a *alpha
	for i := 0; i < n / 2; i++ {
		a = &alpha{&beta{a, i}, i}
	}
	hold(a)
}

func goroutines(n int) {
	for i := 0; i < n; i++ {
		l := &link{id: i}
		go func() {
			<-never
			runtime.KeepAlive(l)
		}()
	}
}

type leaf struct {
	next *leaf
	id   int
	text string
}

// Objects that lie in large arrays, and point at each other's middles: what arenas make.
func arena(n int) {
	const block = 1024
	all, chance := make([]*leaf, 0, n), rand.New(rand.NewSource(1))
	for len(all) < n {
		some := make([]leaf, block)
		for i := range some {
			some[i].id = i
			all = append(all, &some[i])
		}
	}
	var heads []*leaf
	for i, l := range all {
		l.next = all[chance.Intn(len(all))]
		if i%100 == 0 {
			heads = append(heads, l)
		}
	}
	hold(heads)
}

type spoke struct {
	hub  *link
	name string
}

// One object, and the middles of one string, that all others point at.
func hub(n int) {
	all, axle, text := make([]*spoke, n), &link{}, string(make([]byte, 1<<20))
	for i := range all {
		all[i] = &spoke{axle, text[i%len(text):]}
	}
	hold(all)
}

// One array of interfaces, whose values are numbers, texts and pointers.
func boxes(n int) {
	all := make([]any, n)
	for i := range all {
		switch i % 3 {
		case 0:
			all[i] = i + 1000
		case 1:
			all[i] = strconv.Itoa(i)
		default:
			all[i] = &link{id: i}
		}
	}
	hold(all)
}

// Each map in the next one.
func nest(n int) {
	inner := map[string]any{}
	for i := 0; i < n/4; i++ {
		inner = map[string]any{"inner": inner, "id": i}
	}
	hold(inner)
}

type fat struct{ refs [10_000]*link }

// Structs of ten thousand pointers.
func fats(n int) {
	all := make([]*fat, n/10_000+1)
	for i := range all {
		all[i] = &fat{}
		for k := range all[i].refs {
			all[i].refs[k] = &link{id: k}
		}
	}
	hold(all)
}

// Each element is led to by both of its neighbours, by the list itself, and leads there.
func doubly(n int) {
	all := list_.New()
	for i := 0; i < n/2; i++ {
		all.PushBack(i + 1000)
	}
	hold(all)
}

// One chain of closures that capture each other.
func chainFuncs(n int) {
	f := func() int { return 1 }
	for i := 0; i < n; i++ {
		g := f
		f = func() int { return g() + i }
	}
	hold(f)
}

// Numbers of a few bytes, several in one slot.
func crumbs(n int) {
	all := make([]*int16, n)
	for i := range all {
		all[i] = new(int16)
	}
	hold(all)
}

var shapes = map[string]func(int){
	"list": list, "ring": ring, "ladder": ladder, "large": larges, "syncmap": syncMap,
	"sparse": sparse, "layered": layered, "random": random, "finalizers": finalizers,
	"chains-ab": chainsAB, "chains-kids": chainsKids, "chains-twice": chainsTwice,
	"chains-funcs": chainsFuncs, "chains-maps": chainsMaps, "chains-any": chainsAny,
	"chains-errors": chainsErrors, "chains-contexts": chainsContexts, "chain-ab": chainAB,
	"goroutines": goroutines, "arena": arena, "hub": hub, "boxes": boxes, "nest": nest,
	"fats": fats, "doubly": doubly, "chain-funcs": chainFuncs, "crumbs": crumbs,
	"chain-maps": chainMaps, "chain-hooks": chainHooks, "chain-reflected": chainReflected,
	"chain-cut": chainCut,
}

type nested map[int]nested

// Each map holds the next.
func chainMaps(n int) {
	var m nested
	for i := 0; i < n / 2; i++ {
		m = nested{i: m}
	}
	hold(m)
}

type hook struct{ next, prev *hook }
type hooked struct {
	id   int
	kept map[string]int
	hook hook
}

// A list of pointers into the middle of its elements.
func chainHooks(n int) {
	var h *hook
	for i := 0; i < n; i++ {
		e := &hooked{id: i}
		e.hook.next = h
		if h != nil {
			h.prev = &e.hook
		}
		h = &e.hook
	}
	hold(h)
}

type mirror struct{ value reflect.Value }

// Each holds the next by reflection, every other by a function in an interface.
func chainReflected(n int) {
	var f any
	for i := 0; i < n / 2; i++ {
		m := &mirror{reflect.ValueOf(f)}
		f = func() *mirror { return m }
	}
	hold(f)
}

type leafy struct {
	name string
	kids []*leafy
}

// Slices of the middle, and of the end, of arrays.
func chainCut(n int) {
	var l *leafy
	for i := 0; i < n / 4; i++ {
		kids, more := make([]*leafy, 6), make([]*leafy, 4)
		kids[2], more[3] = l, &leafy{"x", kids[1:4:4]}
		l = &leafy{"y", more[2:]}
	}
	hold(l)
}

func main() {
	n, err := strconv.Atoi(os.Args[2])
	if err != nil {
		panic(err)
	}
	shapes[os.Args[1]](n)
	runtime.GC()
	runtime.GC()
	debug.SetGCPercent(-1)
	fmt.Println("ready")
	var rest [1]byte
	os.Stdin.Read(rest[:])
	runtime.KeepAlive(keeps)
}
