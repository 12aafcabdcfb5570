"""The part of every program that is the same: it waits until all stand, and bears witness."""

SUPPORT = r"""package main

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

const magic = 0x5afe600d00000000

var (
	arrived atomic.Int64
	noted   sync.Map // number -> address and goroutine of a local
	labels  sync.Map // goroutine -> its pprof labels, of those that had some
	sink    atomic.Uint64
	started = monotonic()
	before, after int64 // around the collection
	collections debug.GCStats
)

// tellMore prints what only some programs know: where C's locals are.
var tellMore = func() {}

// arrive is the last thing that a goroutine does before it stands.
//
//go:noinline
func arrive() { arrived.Add(1) }

// note keeps the address of a local of the caller; the pointer does not escape.
//
//go:noinline
func note(number int, local *[2]uint64) {
	local[0] = magic + uint64(number)
	noted.Store(number, fmt.Sprintf("%#x %d", uintptr(unsafe.Pointer(local)), goid()))
}

//go:noinline
func label(text string) { labels.Store(goid(), text) }

func use(local *[2]uint64) { sink.Add(local[0]) }

func goid() int {
	var buf [64]byte
	text := string(buf[:runtime.Stack(buf[:], false)])
	id, _ := strconv.Atoi(strings.Fields(text)[1])
	return id
}

func monotonic() int64 {
	var at syscall.Timespec
	syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, 1, uintptr(unsafe.Pointer(&at)), 0)
	return at.Nano()
}

func dump() {
	buf := make([]byte, 1<<20)
	for n := 0; ; buf = make([]byte, 2*len(buf)) {
		if n = runtime.Stack(buf, true); n < len(buf) {
			buf = buf[:n]
			break
		}
	}
	fmt.Printf("<stacks\n%s\n", buf)
}

// stand waits for all to arrive, tells what is there each time that it is asked, and ends with its
// standard input.
//
//go:noinline
func stand(expected int64, collect bool) {
	for i := 0; arrived.Load() < expected && i < 5000; i++ {
		time.Sleep(time.Millisecond)
	}
	time.Sleep(20 * time.Millisecond)
	debug.SetGCPercent(-1) // no stack moves from here on
	if collect {
		before = monotonic()
		runtime.GC()
		after = monotonic()
		time.Sleep(20 * time.Millisecond) // the sweeper and the collector's workers lie down
	}
	var line [1]byte
	for {
		fmt.Println("pid", os.Getpid())
		fmt.Println("arrived", arrived.Load(), expected)
		fmt.Println("times", started, before, after)
		debug.ReadGCStats(&collections)
		fmt.Println("collections", collections.NumGC)
		noted.Range(func(number, where any) bool {
			fmt.Println("local", number, where)
			return true
		})
		labels.Range(func(id, text any) bool {
			fmt.Println("labels", id, text)
			return true
		})
		tellMore()
		fmt.Println("count", runtime.NumGoroutine())
		dump()
		fmt.Println("ready")
		if n, err := syscall.Read(0, line[:]); n != 1 || err != nil {
			os.Exit(0)
		}
	}
}
"""
