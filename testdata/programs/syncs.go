// The types of sync and sync/atomic, as they lie in memory while in use.
package main

import (
	"sync"
	"sync/atomic"
)

type guarded struct {
	mu    sync.Mutex
	count int
}

func main() {
	g := guarded{count: 3}
	var once sync.Once
	runs := 0
	for i := 0; i < 3; i++ {
		once.Do(func() { runs++ })
	}
	var n atomic.Int64
	n.Store(77)
	var flag atomic.Bool
	flag.Store(true)
	var p atomic.Pointer[guarded]
	p.Store(&g)
	var v atomic.Value
	v.Store("held")
	pool := sync.Pool{New: func() any { return new(int) }}
	item := pool.Get().(*int)
	*item = 5
	var rw sync.RWMutex
	rw.RLock()
	var m sync.Map
	m.Store("k", 1)
	loaded, ok := m.Load("k")
	g.mu.Lock()
	println("stop") // stop
	// want: g.count value=3
	// want: g live heap moved
	// want: runs live value=1
	// want: n.v value=77 type=int64
	// want: flag.v value=1
	// want: p type=sync/atomic.Pointer[main.guarded]|atomic.Pointer[main.guarded]
	// want: item text=5 data=heap
	// want: loaded value=1 dynamic_type=int
	// want: ok value=true
	g.mu.Unlock()
	rw.RUnlock()
	pool.Put(item)
	println(n.Load(), flag.Load(), loaded, ok, v.Load() != nil)
}
