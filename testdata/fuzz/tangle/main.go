// A little of everything that goprobe reads of a process: scripts/fuzz damages it piece by piece.
package main

import (
	"container/list"
	"os"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"
)

type node struct {
	next  *node
	name  string
	value any
}

type tree[K comparable, V any] struct {
	left, right *tree[K, V]
	key         K
	value       V
	index       map[K]*tree[K, V]
}

type shape interface{ area() float64 }

type square struct{ side float64 }

func (s *square) area() float64 { return s.side * s.side }

type disc struct {
	radius float64
	tag    *string
}

func (d disc) area() float64 { return d.radius * d.radius }

type big struct {
	head  *node
	table [300]*node
	tail  [4]any
}

type inner struct{ a, b int }

type outer struct {
	inner
	list []inner
	many [3]inner
	fn   func(int) int
	ch   chan *node
	m    map[string][]inner
	err  error
	raw  unsafe.Pointer
}

type failure struct{ code int }

func (f *failure) Error() string { return "failure" }

var (
	chain   *node
	woods   *tree[string, int]
	shapes  []shape
	bigs    []*big
	things  outer
	small   = map[int]string{1: "one", 2: "two"}
	large   = map[string]*node{}
	wide    = map[[20]int][200]byte{}
	never   map[string]int
	pool    sync.Pool
	shared  sync.Map
	guard   sync.Mutex
	once    sync.Once
	waiting sync.WaitGroup
	order   = list.New()
	timers  []*time.Timer
	counter atomic.Int64
	pointer atomic.Pointer[node]
	holder  any = map[string]any{"a": 1, "b": []any{"c", 2.5, nil}}
	null        = make(chan int)
	full        = make(chan string, 4)
	text        = "a string that lies in read-only data"
	blob    []byte
	cycle   []any
)

func grow(depth int) *tree[string, int] {
	if depth == 0 {
		return nil
	}
	key := string(rune('a' + depth))
	t := &tree[string, int]{grow(depth - 1), grow(depth - 1), key, depth, nil}
	t.index = map[string]*tree[string, int]{key: t}
	return t
}

func fill() {
	for i := 0; i < 200; i++ {
		chain = &node{chain, "node", i}
		large[string(rune('A'+i%60))+string(rune('a'+i/60))] = chain
	}
	woods = grow(7)
	for i := 0; i < 20; i++ {
		tag := "tag" + string(rune('a'+i))
		shapes = append(shapes, &square{float64(i)}, disc{float64(i), &tag})
		bigs = append(bigs, &big{head: chain})
		wide[[20]int{i}] = [200]byte{byte(i)}
		shared.Store(i, chain)
		order.PushBack(&square{1})
		pool.Put(&node{name: "pooled"})
	}
	blob = make([]byte, 100_000)
	free := 3
	things = outer{
		inner{1, 2}, make([]inner, 5, 9), [3]inner{{3, 4}},
		func(n int) int { return n + free }, make(chan *node, 3),
		map[string][]inner{"x": {{5, 6}}}, &failure{7}, unsafe.Pointer(chain),
	}
	things.ch <- chain
	full <- "waits"
	cycle = []any{nil, 1}
	cycle[0] = &cycle
	pointer.Store(chain)
}

func specials() {
	for i := 0; i < 10; i++ {
		n := &node{name: "finalized"}
		bigs[i].head = n
		runtime.SetFinalizer(n, func(n *node) { counter.Add(1) })
	}
	for i := 1; i < 6; i++ {
		timers = append(timers, time.NewTimer(time.Duration(i)*time.Hour))
	}
	time.AfterFunc(2*time.Hour, func() { println(chain) })
	newerSpecials()
}

//go:noinline
func deep(n int, p *node, s []inner, f func()) int {
	local := [4]int{n, n + 1}
	defer func() { local[1]++ }()
	if n == 0 {
		f()
		return local[0]
	}
	return deep(n-1, p, s, f) + local[1]
}

func tangle() {
	parked := make(chan int)
	guard.Lock()
	waits := []func(){
		func() { <-parked },
		func() { parked <- 1 },
		func() { null <- 1 },
		func() { <-(chan int)(nil) },
		func() { select {} },
		func() {
			select {
			case n := <-null:
				println(n)
			case full <- "late":
			case null <- 2:
			}
		},
		func() { guard.Lock() },
		func() { waiting.Wait() },
		func() { time.Sleep(time.Hour) },
		func() {
			for range time.NewTicker(time.Hour).C {
			}
		},
		func() {
			c := sync.NewCond(&sync.Mutex{})
			c.L.Lock()
			c.Wait()
		},
		func() { r, _, _ := os.Pipe(); r.Read(make([]byte, 10)) },
		func() { deep(20, chain, things.list, func() { select {} }) },
		func() {
			defer func() {
				recover()
				select {}
			}()
			var m map[string]int
			m["x"] = 1
		},
		func() { runtime.LockOSThread(); select {} },
		func() {
			for i := 0; i < 3; i++ { // in a loop they are on the goroutine's list
				defer counter.Add(1)
			}
			select {}
		},
	}
	waiting.Add(1)
	for _, wait := range waits {
		for i := 0; i < 3; i++ {
			go wait()
		}
	}
}

//go:noinline
func stand(where string, n int, v any, s shape, o *outer) {
	os.Stdout.WriteString("ready\n")
	buffer := make([]byte, 1)
	os.Stdin.Read(buffer)
	runtime.KeepAlive(where)
	runtime.KeepAlive(v)
	runtime.KeepAlive(s)
	runtime.KeepAlive(o)
}

func main() {
	debug.SetGCPercent(-1)
	fill()
	specials()
	tangle()
	time.Sleep(50 * time.Millisecond)
	runtime.GC()
	local := outer{inner: inner{8, 9}, list: things.list}
	stand("here", 42, holder, shapes[1], &local)
}
