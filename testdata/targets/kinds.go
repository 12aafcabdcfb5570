// A program with something at every kind of address that pure Go can have, each told in one line:
// what it is and where. Then it says "ready" and stands as it is.
package main

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

var (
	number       = 12345
	inData       = &number
	inBss        *int
	inNoptrBss   [100]int64
	staticValue  any
	zeroSized    *struct{}
	tiny         *byte
	smallNoscan  *[6]int64
	smallBitmap  *[4]*int
	withHeader   *[100]*int
	large        *[100_000]byte
	largePointer *[10_000]*int
	kept         [64]*[1408]byte
	stop         atomic.Bool
	hidden       uintptr // no pointer: the collector does not follow it
	parkedAt     = make(chan int)
)

//go:noinline
func known(n int) int { return n*3 + number }

func tell(what string, address uintptr) { fmt.Printf("%s %#x\n", what, address) }

func at[T any](p *T) uintptr { return uintptr(unsafe.Pointer(p)) }

func dataOf(v any) uintptr { return (*[2]uintptr)(unsafe.Pointer(&v))[1] }

// goid is what the runtime prints of the goroutine that asks.
func goid() string {
	text := make([]byte, 64)
	return strings.Fields(string(text[:runtime.Stack(text, false)]))[1]
}

func fillHeap() {
	tiny, smallNoscan, smallBitmap = new(byte), new([6]int64), new([4]*int)
	withHeader, large, largePointer = new([100]*int), new([100_000]byte), new([10_000]*int)
	zeroSized = new(struct{})
	for i := range kept {
		kept[i] = new([1408]byte)
	}
	hidden = at(kept[31])
	kept[31] = nil
}

// grow makes the goroutine's stack as large as it will need, so that it stays where it is.
//
//go:noinline
func grow() byte {
	var room [16 << 10]byte
	room[number%100] = 1
	return room[len(room)-number%100]
}

func parked(told chan string) {
	grow()
	var local [4]int64
	told <- fmt.Sprintf("parked %#x %s", at(&local), goid())
	local[0] = int64(<-parkedAt)
	runtime.KeepAlive(&local)
}

func running(told chan string) {
	grow()
	var local [4]int64
	told <- fmt.Sprintf("running %#x %s", at(&local), goid())
	for !stop.Load() {
		local[1]++
	}
	runtime.KeepAlive(&local)
}

// signalStack says where the kernel delivers the signals of the thread that it runs on.
func signalStack() {
	runtime.LockOSThread()
	var old struct {
		base  uintptr
		flags int64
		size  uintptr
	}
	syscall.RawSyscall(syscall.SYS_SIGALTSTACK, 0, uintptr(unsafe.Pointer(&old)), 0)
	fmt.Printf("gsignal %#x %d %d\n", old.base, old.size, syscall.Gettid())
}

func mapFile(what string, flags int) {
	file, err := os.Open(os.Args[1])
	if err != nil {
		panic(err)
	}
	bytes, err := syscall.Mmap(int(file.Fd()), 0, 4096, syscall.PROT_READ, flags)
	if err != nil {
		panic(err)
	}
	file.Close()
	tell(what, at(&bytes[0]))
}

func main() {
	function := known
	tell("text", **(**uintptr)(unsafe.Pointer(&function)))
	tell("rodata", uintptr(unsafe.Pointer(unsafe.StringData("a string that nobody writes to"))))
	tell("data", at(&inData))
	tell("noptrdata", at(&number))
	tell("bss", at(&inBss))
	tell("noptrbss", at(&inNoptrBss))
	staticValue = byte(known(0) - number + 5)
	tell("static", dataOf(staticValue))
	fillHeap()
	tell("zerobase", at(zeroSized))
	signalStack()
	mapFile("private", syscall.MAP_PRIVATE)
	mapFile("shared", syscall.MAP_SHARED)
	runtime.GC()
	tell("freed", hidden)
	tell("neighbour", at(kept[30]))
	tell("tiny", at(tiny))
	tell("small", at(smallNoscan))
	tell("bitmap", at(smallBitmap))
	tell("header", at(withHeader))
	tell("large", at(large))
	tell("largepointers", at(largePointer))
	told := make(chan string)
	go parked(told)
	fmt.Println(<-told)
	go running(told)
	fmt.Println(<-told)
	time.Sleep(20 * time.Millisecond)
	grow()
	var local [4]int64
	fmt.Printf("main %#x %s\n", at(&local), goid())
	fmt.Println("ready")
	os.Stdin.Read(make([]byte, 1))
	runtime.KeepAlive(&local)
}
