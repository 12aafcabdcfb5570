// A program that reads its own MemStats and runtime/metrics when a line comes in, and prints them
// only then: nothing moves between a look from outside and its own.
package main

import (
	"encoding/json"
	"math"
	"math/rand"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"syscall"
	"time"
	"unsafe"
)

type node struct {
	next  *node
	words [5]int
}

var (
	stats   runtime.MemStats
	kept    *node
	blocks  [][]byte
	samples []metrics.Sample
	line    [1]byte
	later   []*time.Timer
	sink    any
)

type histogram struct {
	Counts  []uint64   `json:"counts"`
	Buckets []*float64 `json:"buckets"`
}

func work() {
	for i := 0; i < 20000; i++ {
		kept = &node{next: kept}
		sink = new(int8)
		sink = make([]byte, i%3000)
	}
	for i := 0; i < 40; i++ {
		blocks = append(blocks, make([]byte, 100_000*(i+1)))
	}
	blocks = blocks[:20]
	runtime.SetFinalizer(kept, func(*node) {})
	for i := 0; i < 5; i++ { // the first one to run keeps the others waiting
		runtime.SetFinalizer(new(node), func(*node) { select {} })
		later = append(later, time.AfterFunc(time.Hour, func() {}))
	}
	later[1].Stop()
	later[3].Stop()
	done := make(chan bool)
	for i := 0; i < 100; i++ {
		go func() { time.Sleep(time.Millisecond); done <- deep(200) > 0 }()
	}
	for i := 0; i < 100; i++ {
		<-done
	}
	runtime.GC()
	runtime.ReadMemStats(&stats)
	for i := 0; i < 1000; i++ {
		sink = make([]int, i)
		sink = new(byte)
	}
}

// panicOfNothing is what GODEBUG=panicnil=1 allows, and the runtime itself counts.
func panicOfNothing() {
	defer func() { recover() }()
	var nothing any
	panic(nothing)
}

func deep(n int) int {
	var room [64]int
	if n == 0 {
		return 1
	}
	room[n%64] = n
	return deep(n-1) + room[(n+1)%64]
}

func wait() {
	for {
		n, _, errno := syscall.RawSyscall(syscall.SYS_READ, 0, uintptr(unsafe.Pointer(&line[0])), 1)
		if errno == 0 && n == 1 {
			return
		}
		if errno != syscall.EINTR {
			os.Exit(1)
		}
	}
}

func told(value metrics.Value) any {
	switch value.Kind() {
	case metrics.KindUint64:
		return value.Uint64()
	case metrics.KindFloat64:
		return value.Float64()
	}
	h := value.Float64Histogram()
	out := histogram{Counts: h.Counts}
	for i := range h.Buckets {
		var bound *float64
		if !math.IsInf(h.Buckets[i], 0) {
			bound = &h.Buckets[i]
		}
		out.Buckets = append(out.Buckets, bound)
	}
	return out
}

func main() {
	if len(os.Args) > 1 {
		debug.SetMemoryLimit(64 << 20)
		panicOfNothing()
	}
	for _, d := range metrics.All() {
		samples = append(samples, metrics.Sample{Name: d.Name})
	}
	metrics.Read(samples)
	debug.SetGCPercent(150)
	sink = rand.Int()
	work()
	time.Sleep(300 * time.Millisecond)
	os.Stdout.WriteString("ready\n")
	wait()
	metrics.Read(samples)
	runtime.ReadMemStats(&stats)
	values := map[string]any{}
	for _, s := range samples {
		values[s.Name] = told(s.Value)
	}
	json.NewEncoder(os.Stdout).Encode(map[string]any{"memstats": stats, "metrics": values})
	wait()
	runtime.KeepAlive(blocks)
}
