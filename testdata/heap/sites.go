// Command sites allocates at many stacks, waits on mutexes and channels, and tells its own profiles
// when it is asked to.
package main

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"strings"
	"sync"
	"time"
)

type order struct {
	id    int
	lines []string
	next  *order
}

type grower interface{ grow(n int) []byte }
type box struct{ side int }

func (b box) grow(n int) []byte { return make([]byte, b.side*n) }

var (
	orders *order
	byName = map[string]*order{}
	kept   [][]byte
	longs  [][]int64
	boxed  []any
)

//go:noinline
func handle(i int) {
	o := &order{id: i, next: orders}
	o.lines = append(o.lines, fmt.Sprintf("line %d of the order", i))
	orders = o
	byName[o.lines[0]] = o
}

func inlined(n int) []byte { return make([]byte, n) }
func twice(n int) []byte   { return inlined(2 * n) }

func list[T any](n int) []T { return make([]T, n) }

//go:noinline
func deep(n int) {
	if n > 0 {
		deep(n - 1)
		return
	}
	kept = append(kept, twice(3000))
}

//go:noinline
func work(rounds int) {
	var g grower = box{100}
	grow := g.grow
	for i := 0; i < 20*rounds; i++ {
		handle(i)
		boxed = append(boxed, i+1000)
	}
	for i := 0; i < rounds; i++ {
		kept = append(kept, grow(i%20+1), g.grow(i%5+1), twice(512))
		longs = append(longs, list[int64](i%30+40))
		deep(i % 150)
		func() {
			defer func() { kept = append(kept, bytes.Repeat([]byte("a"), 700)) }()
		}()
	}
	for i := 0; i < 100*rounds; i++ {
		_ = fmt.Sprint("garbage", i)
	}
}

var mutex sync.Mutex

//go:noinline
func locked() {
	mutex.Lock()
	time.Sleep(2 * time.Millisecond)
	mutex.Unlock()
}

func contend() {
	var group sync.WaitGroup
	for i := 0; i < 4; i++ {
		group.Add(1)
		go func() {
			defer group.Done()
			for j := 0; j < 5; j++ {
				locked()
			}
		}()
	}
	group.Wait()
	pipe := make(chan int)
	go func() {
		time.Sleep(3 * time.Millisecond)
		pipe <- 1
	}()
	<-pipe
}

func stack(pcs []uintptr) string {
	var told strings.Builder
	frames := runtime.CallersFrames(pcs)
	for {
		f, more := frames.Next()
		fmt.Fprintf(&told, "%s@%s:%d;", f.Function, f.File, f.Line)
		if !more {
			return told.String()
		}
	}
}

func tell() {
	records := make([]runtime.MemProfileRecord, 20000)
	n, _ := runtime.MemProfile(records, true)
	for _, r := range records[:n] {
		fmt.Println("memory", r.AllocObjects, r.AllocBytes, r.InUseObjects(), r.InUseBytes(), stack(r.Stack()))
	}
	waits := make([]runtime.BlockProfileRecord, 2000)
	n, _ = runtime.BlockProfile(waits)
	for _, r := range waits[:n] {
		fmt.Println("block", r.Count, r.Cycles, stack(r.Stack()))
	}
	n, _ = runtime.MutexProfile(waits)
	for _, r := range waits[:n] {
		fmt.Println("mutex", r.Count, r.Cycles, stack(r.Stack()))
	}
	for _, name := range []string{"heap", "allocs", "block", "mutex"} {
		var proto bytes.Buffer
		pprof.Lookup(name).WriteTo(&proto, 0)
		fmt.Println("proto_"+name, hex.EncodeToString(proto.Bytes()))
	}
	fmt.Println("told 1")
}

func main() {
	rounds := 300
	collect := 3
	rate := runtime.MemProfileRate
	for _, arg := range os.Args[1:] {
		fmt.Sscanf(arg, "rounds=%d", &rounds)
		fmt.Sscanf(arg, "collect=%d", &collect)
		fmt.Sscanf(arg, "rate=%d", &rate)
	}
	runtime.SetBlockProfileRate(1)
	runtime.SetMutexProfileFraction(1)
	if collect == 0 {
		debug.SetGCPercent(-1)
	}
	contend()
	work(rounds)
	runtime.SetBlockProfileRate(0)
	runtime.SetMutexProfileFraction(0)
	for i := 0; i < collect; i++ {
		runtime.GC()
	}
	debug.SetGCPercent(-1)
	runtime.MemProfileRate = rate // midway, where it is another
	work(rounds / 10)
	time.Sleep(50 * time.Millisecond)
	fmt.Printf("order %p\n", orders)
	fmt.Println("ready 1")
	asked := bufio.NewScanner(os.Stdin)
	for asked.Scan() {
		switch asked.Text() {
		case "collect":
			go collectOnce()
		case "contend":
			runtime.SetBlockProfileRate(1)
			runtime.SetMutexProfileFraction(1)
			go contend()
		default:
			tell()
		}
	}
}

// collectOnce has a collection, and not what runtime.GC does after it.
func collectOnce() {
	debug.SetGCPercent(1)
	sink = make([]byte, 16<<20)
	debug.SetGCPercent(-1)
	fmt.Println("collected 1")
}

var sink []byte
