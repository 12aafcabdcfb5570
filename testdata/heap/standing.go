// A program that fills every kind of span, says what its own MemStats say, and stands still:
// nothing is allocated from the reading on.
package main

import (
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"time"
)

type small struct {
	next *small
	data [3]uint64
}

type header struct {
	pointers [90]*small
	rest     [20]byte
}

var (
	keepSmall   *small
	keepHeader  []*header
	keepNoscan  [][]byte
	keepLarge   [][]byte
	keepScan    [][]*small
	keepTiny    []*int8
	keepMap     = map[string]*small{}
	keepStrings []string
	keepClasses []any
	stats       runtime.MemStats
	buffer      = make([]byte, 0, 1<<16)
)

func main() {
	debug.SetGCPercent(-1)
	n := 2000
	if len(os.Args) > 1 {
		n, _ = strconv.Atoi(os.Args[1])
	}
	fill(n)
	// The runtime too is to stand still from the reading on: one P needs no more threads, whose
	// structs it would allocate, and has its array of timers before the scavenger sleeps by it.
	runtime.GOMAXPROCS(1)
	time.Sleep(time.Millisecond)
	runtime.GC()
	runtime.GC()
	time.Sleep(20 * time.Millisecond)
	runtime.ReadMemStats(&stats)
	line("objects", stats.HeapObjects)
	line("bytes", stats.HeapAlloc)
	line("inuse", stats.HeapInuse)
	line("idle", stats.HeapIdle)
	line("released", stats.HeapReleased)
	line("stacks", stats.StackInuse)
	for _, class := range stats.BySize {
		buffer = append(buffer, "class "...)
		buffer = strconv.AppendUint(buffer, uint64(class.Size), 10)
		buffer = append(buffer, ' ')
		buffer = strconv.AppendUint(buffer, class.Mallocs-class.Frees, 10)
		buffer = append(buffer, '\n')
	}
	buffer = append(buffer, "ready\n"...)
	os.Stdout.Write(buffer)
	os.Stdin.Read(buffer)
}

func line(name string, value uint64) {
	buffer = append(buffer, name...)
	buffer = append(buffer, ' ')
	buffer = strconv.AppendUint(buffer, value, 10)
	buffer = append(buffer, '\n')
}

func fill(n int) {
	for i := 0; i < n; i++ {
		keepSmall = &small{next: keepSmall}
		keepMap["key "+strconv.Itoa(i)] = keepSmall
		keepStrings = append(keepStrings, "a string with the number "+strconv.Itoa(i))
		tiny := int8(i)
		keepTiny = append(keepTiny, &tiny)
		if i%3 == 0 {
			keepHeader = append(keepHeader, &header{})
		}
	}
	for size := 1; size <= 40000; size += size/9 + 1 {
		for i := 0; i < 7; i++ {
			keepNoscan = append(keepNoscan, make([]byte, size))
			keepScan = append(keepScan, make([]*small, size/8+1))
			// Garbage between what stays: spans with holes.
			for range make([]byte, size%5) {
				sink = make([]*small, size/8+1)
				sinkBytes = make([]byte, size)
			}
		}
	}
	sink, sinkBytes = nil, nil
	for i := 1; i < 6; i++ {
		keepLarge = append(keepLarge, make([]byte, i*100_000))
		keepScan = append(keepScan, make([]*small, i*20_000))
	}
}

var (
	sink      []*small
	sinkBytes []byte
)
