// A program that knows an address of nearly every kind of memory, and says so.
//
// For each it prints a line
//
//	NAME 0xADDRESS {"kind": "heap", ...}
//
// where the object after the address is what `goprobe where` must say: its kind and, by the names
// of the contract, details of it ("offset" is the address minus the object's start). Then it prints
// "ready" and stands still until its stdin closes; nothing is allocated or collected any more.
// One goroutine spins meanwhile, in code that never calls anything. Without cgo; allkinds_cgo.go has
// what needs C.
package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"reflect"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"
	"unsafe"
)

type tiny struct{ a, b uint32 }

type link struct {
	next *link
	val  [3]int
}

type header struct { // over 512 bytes with pointers: the type stands in a word before it
	links [90]*link
	rest  int
}

type large struct {
	links [6000]*link
	tail  int
}

type odd struct { // a size class of its own: 1152 bytes
	links [140]*link
}

var (
	inData      = "a string header has a pointer"
	inNoptrdata = [4]int{1, 2, 3, 4}
	inBss       *link
	inNoptrbss  [1 << 12]byte

	tinies  [8]*tiny
	plain   *[5]int64
	linked  *link
	headers *header
	larges  *large
	bytes   []byte
	odds    [64]*odd
	boxed   any
	nothing *struct{}
	spin    = true
	n       = 5
)

type fact struct {
	name    string
	address uintptr
	says    string
}

var facts []fact

func say(name string, address unsafe.Pointer, says string, args ...any) {
	facts = append(facts, fact{name, uintptr(address), fmt.Sprintf(says, args...)})
}

func static() {
	entry := reflect.ValueOf(static).Pointer()
	say("text", unsafe.Pointer(entry), `"kind": "text", "function": "main.static"`)
	say("text_inside", unsafe.Pointer(entry+16), `"kind": "text", "function": "main.static"`)
	constant := "bytes of a constant"
	say("rodata", unsafe.Pointer(unsafe.StringData(constant)), `"kind": "rodata", "section": ".rodata"`)
	say("rodata_inside", unsafe.Pointer(unsafe.StringData(constant[9:])), `"kind": "rodata"`)
	say("data", unsafe.Pointer(&inData), `"kind": "data", "section": ".data", "symbol": "main.inData"`)
	say("noptrdata", unsafe.Pointer(&inNoptrdata[2]),
		`"kind": "data", "section": ".noptrdata", "symbol": "main.inNoptrdata+0x10"`)
	say("bss", unsafe.Pointer(&inBss), `"kind": "bss", "section": ".bss", "symbol": "main.inBss"`)
	say("noptrbss", unsafe.Pointer(&inNoptrbss[0x80]),
		`"kind": "bss", "section": ".noptrbss", "symbol": "main.inNoptrbss+0x80"`)
	boxed = n
	word := (*[2]unsafe.Pointer)(unsafe.Pointer(&boxed))[1]
	say("staticuint64s", word, `"symbol": "runtime.staticuint64s+0x28"`)
	nothing = &struct{}{}
	say("zerobase", unsafe.Pointer(nothing), `"kind": "bss", "symbol": "runtime.zerobase"`)
}

func objects() {
	for i := range tinies {
		tinies[i] = &tiny{uint32(i), 1}
	}
	plain, linked, headers, larges = new([5]int64), &link{next: &link{}}, new(header), new(large)
	bytes = make([]byte, 100*n)
	for i := range odds {
		odds[i] = &odd{}
	}
}

func heap() {
	is := func(name string, address unsafe.Pointer, size, offset int, noscan bool) {
		say(name, address, `"kind": "heap", "object_size": %d, "offset": %d, "noscan": %v, "allocated": true`,
			size, offset, noscan)
	}
	first := uintptr(unsafe.Pointer(tinies[0])) % 16
	is("tiny", unsafe.Pointer(tinies[0]), 16, int(first), true)
	is("tiny_neighbour", unsafe.Pointer(&tinies[1].b), 16, int(first^8)+4, true)
	is("small_noscan", unsafe.Pointer(plain), 48, 0, true)
	is("small_noscan_inside", unsafe.Pointer(&plain[4]), 48, 32, true)
	is("small", unsafe.Pointer(linked), 32, 0, false)
	is("small_inside", unsafe.Pointer(&linked.next.val[2]), 32, 24, false)
	// Since Go 1.22 the type pointer stands in the object's first word.
	before := uintptr(unsafe.Pointer(headers)) & 8
	is("header", unsafe.Pointer(headers), 768, int(before), false)
	is("header_inside", unsafe.Pointer(&headers.rest), 768, int(before)+720, false)
	is("large", unsafe.Pointer(larges), 49152, 0, false)
	is("large_inside", unsafe.Pointer(&larges.tail), 49152, 48000, false)
	is("bytes", unsafe.Pointer(unsafe.SliceData(bytes)), 512, 0, true)
}

// free lets every other odd go. What is left of them are free slots between live objects.
func free() {
	var gone [len(odds)]uintptr
	for i := 1; i < len(odds)-1; i += 2 {
		gone[i] = uintptr(unsafe.Pointer(odds[i]))
		odds[i] = nil
	}
	runtime.GC()
	runtime.GC()
	offset := uintptr(0)
	if unsafe.Sizeof(odd{}) > 512 && gone[1]&8 != 0 {
		offset = 8
	}
	facts = append(facts, fact{"freed", gone[21],
		fmt.Sprintf(`"kind": "heap", "allocated": false, "object_size": 1152, "offset": %d`, offset)})
	say("freed_neighbour", unsafe.Pointer(odds[22]), `"kind": "heap", "allocated": true, "object_size": 1152`)
}

// goid is the caller's goroutine id, by the first line of its own stack dump.
func goid() (id int) {
	var dump [64]byte
	fmt.Sscanf(string(dump[:runtime.Stack(dump[:], false)]), "goroutine %d", &id)
	return id
}

//go:noinline
func deep(levels int) uintptr {
	var room [256]byte
	room[levels] = 1
	if levels == 0 {
		return uintptr(unsafe.Pointer(&room))
	}
	return deep(levels-1) + uintptr(room[levels]) - 1
}

func park(reports chan<- fact, forever chan int) {
	var local [4]int
	deep(40) // the stack grows here, and not any more from here on
	id, dead := goid(), deep(20)
	address := uintptr(unsafe.Pointer(&local))
	is := `"kind": "goroutine_stack", "goroutine": %d, "live": %v`
	reports <- fact{"stack_parked", address, fmt.Sprintf(is, id, true)}
	reports <- fact{"stack_dead", dead, fmt.Sprintf(is, id, false)}
	local[0] = <-forever
	fmt.Println(local)
}

func turn(reports chan<- fact) {
	var local [4]int
	deep(40)
	id := goid()
	address := uintptr(unsafe.Pointer(&local))
	reports <- fact{"stack_running", address,
		fmt.Sprintf(`"kind": "goroutine_stack", "goroutine": %d, "live": true`, id)}
	for spin {
		local[0]++
	}
	fmt.Println(local)
}

func stacks() {
	reports, forever := make(chan fact), make(chan int)
	go park(reports, forever)
	facts = append(facts, <-reports, <-reports)
	go turn(reports)
	facts = append(facts, <-reports)
}

func mappings() {
	page, err := os.CreateTemp("", "allkinds")
	if err != nil {
		panic(err)
	}
	defer os.Remove(page.Name())
	if err := page.Truncate(1 << 12); err != nil {
		panic(err)
	}
	file, err := syscall.Mmap(int(page.Fd()), 0, 1<<12, syscall.PROT_READ, syscall.MAP_SHARED)
	if err != nil {
		panic(err)
	}
	say("file", unsafe.Pointer(&file[64]), `"kind": "file"`)
	anonymous := syscall.MAP_PRIVATE | syscall.MAP_ANON
	closed, err := syscall.Mmap(-1, 0, 1<<16, syscall.PROT_NONE, anonymous)
	if err != nil {
		panic(err)
	}
	say("reserved", unsafe.Pointer(unsafe.SliceData(closed)), `"kind": "reserved"`)
	gone, err := syscall.Mmap(-1, 0, 1<<20, syscall.PROT_READ, anonymous)
	if err != nil {
		panic(err)
	}
	say("unmapped", unsafe.Pointer(unsafe.SliceData(gone)), `"kind": "unmapped"`)
	if err := syscall.Munmap(gone); err != nil {
		panic(err)
	}
	facts = append(facts, fact{"nil", 0x10, `"kind": "unmapped"`})
	maps, err := os.Open("/proc/self/maps")
	if err != nil {
		panic(err)
	}
	for lines := bufio.NewScanner(maps); lines.Scan(); {
		var low uintptr
		if strings.HasSuffix(lines.Text(), "[vdso]") {
			fmt.Sscanf(lines.Text(), "%x-", &low)
			facts = append(facts, fact{"vdso", low + 0x40, `"kind": "vdso"`})
		}
	}
}

func main() {
	runtime.GOMAXPROCS(4)
	debug.SetGCPercent(-1)
	objects()
	free()
	static()
	heap()
	mappings()
	stacks()
	out := bufio.NewWriter(os.Stdout)
	for _, f := range facts {
		fmt.Fprintf(out, "%s %#x {%s}\n", f.name, f.address, f.says)
	}
	fmt.Fprintf(out, "pid %d\nready\n", os.Getpid())
	out.Flush()
	io.Copy(io.Discard, os.Stdin)
}
