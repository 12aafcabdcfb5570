// Values of most kinds in one type, which a stripped program's descriptors tell as debug information
// does: for tests/heap/test_stripped_values.py.
package main

import (
	"errors"
	"fmt"
	"math/big"
	"os"
	"sync"
	"time"
)

type level int

type inner struct {
	id   int32
	ok   bool
	name string
}

type shape interface{ area() float64 }

type square struct{ side float64 }

func (s square) area() float64 { return s.side * s.side }

type round struct{ r *inner }

func (r *round) area() float64 { return float64(r.r.id) }

type event struct {
	inner
	at       time.Time
	wait     time.Duration
	big      *big.Int
	level    level
	body     []byte
	names    []string
	pair     [2]inner
	list     []*inner
	shapes   []shape
	any      []any
	err      error
	lock     sync.Mutex
	next     *event
	float    float32
	cplx     complex128
	unsigned uint16
	empty    struct{}
	none     *inner
	entries  *sync.Map
	counts   map[string]int
	large    map[int32]inner
	wide     map[[40]int32][20]int
	nothing  map[string]bool
	by       map[any]*inner
	c        chan int
	do       func() string
}

var kept []*event

func main() {
	entries := &sync.Map{}
	entries.Store("k", 1)
	for i := 0; i < 3; i++ {
		in := inner{int32(i), true, fmt.Sprint("in", i)}
		e := &event{
			inner: in, at: time.Unix(1700000000+int64(i), 5), wait: time.Second, big: big.NewInt(1 << 40),
			level: 2, body: []byte("a body"), names: []string{"a", "b"}, pair: [2]inner{in, {}},
			list: []*inner{&in, nil}, shapes: []shape{square{2}, &round{&in}}, any: []any{1, "x", 2.5, in, nil, level(3)},
			err: errors.New("broken"), float: 1.5, cplx: 1 + 2i, unsigned: 65535, entries: entries,
			counts: map[string]int{"a": i}, c: make(chan int, 2), do: func() string { return in.name },
		}
		e.large, e.wide, e.by = map[int32]inner{}, map[[40]int32][20]int{}, map[any]*inner{1: &in, "x": nil}
		for k := int32(0); k < 1000; k++ {
			e.large[k] = inner{k, k%2 == 0, "v"}
		}
		for k := int32(0); k < 990; k++ {
			delete(e.large, k)
		}
		e.wide[[40]int32{1}] = [20]int{7}
		e.c <- 5 + i
		if i == 2 {
			close(e.c)
		}
		kept = append(kept, e)
	}
	kept[0].next, kept[1].next = kept[1], kept[0]
	kept[2].lock.Lock()
	fmt.Println("ready", kept[0].do(), kept[1].err, len(kept[2].shapes), kept[1].shapes[1].area())
	var b [1]byte
	os.Stdin.Read(b[:])
}
