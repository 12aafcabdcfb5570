// Arrays of which a pointer into the middle is all that is left, and memory that looks like one:
// a []byte that values are cut from by unsafe.
package main

import (
	"bufio"
	"fmt"
	"os"
	"reflect"
	"runtime"
	"unsafe"
)

type cut struct{ x, y, z, w float32 }
type first struct{ x, y, z float64 }
type made struct{ a, b, c, d int32 }
type grown struct{ a, b int64 }
type generic struct{ a, b, c uint64 }
type reflected struct{ a, b uint64 }
type field struct {
	cut cut
	n   int64
}

type held struct {
	cut, another *cut
	first        *first
	made         *made
	grown        *grown
	generic      *generic
	reflected    *reflected
	field        *field
}

var holder any

func say(p unsafe.Pointer, what string) { fmt.Printf("obj %#x %s\n", uintptr(p), what) }

//go:noinline
func bytes(n int) []byte { return make([]byte, n) }

//go:noinline
func of[T any](n int) []T { return make([]T, n) }

//go:noinline
func add(n int) (all []grown) {
	for i := range make([]struct{}, n) {
		all = append(all, grown{int64(i), 2})
	}
	return all
}

//go:noinline
func fill(n int) {
	h := &held{}
	holder = h
	arena := bytes(4096)
	h.cut = (*cut)(unsafe.Pointer(&arena[112]))
	say(unsafe.Pointer(h.cut), "[]uint8")
	small := bytes(160)
	h.another = (*cut)(unsafe.Pointer(&small[32]))
	say(unsafe.Pointer(h.another), "[]uint8")
	begun := bytes(240)
	h.first = (*first)(unsafe.Pointer(&begun[0]))
	say(unsafe.Pointer(h.first), "[]uint8")
	fields := bytes(480)
	h.field = (*field)(unsafe.Pointer(&fields[24]))
	say(unsafe.Pointer(h.field), "[]uint8")
	h.made = &make([]made, n)[3]
	say(unsafe.Pointer(h.made), "[]main.made")
	h.grown = &add(n)[2]
	say(unsafe.Pointer(h.grown), "[]main.grown")
	h.generic = &of[generic](n)[4]
	say(unsafe.Pointer(h.generic), "[]main.generic")
	values := reflect.MakeSlice(reflect.TypeOf([]reflected(nil)), n, n).Interface().([]reflected)
	h.reflected = &values[1]
	say(unsafe.Pointer(h.reflected), "[]main.reflected")
}

func main() {
	fill(20)
	runtime.GC()
	fmt.Println("ready")
	bufio.NewReader(os.Stdin).ReadString('\n')
}
