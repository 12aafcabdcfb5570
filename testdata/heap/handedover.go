// What slices of no capacity begin at, and what a sort swaps. Types are of one layout; a Swapper's
// closures call what they swap by another type.
package main

import (
	"fmt"
	"os"
	"reflect"
	"runtime"
	"sort"
	"time"
	"unsafe"
)

type (
	apple  struct{ a, b *int }
	plum   struct{ a, b *int }
	quince struct{ a, b *int }
	medlar int64
	name   string
)

type field struct {
	n    int
	rest []plum
}

var (
	rest   = map[string][]apple{}
	fields []*field
	sorted []*quince
	counts []medlar
	names  []name
	swaps  []func(i, j int)
)

//go:noinline
func one(n int) int { return n }

//go:noinline
func tell(at unsafe.Pointer, what string) {
	fmt.Printf("obj %#x %s\n", uintptr(at), what)
}

func told[T any](p *T) *T {
	tell(unsafe.Pointer(p), fmt.Sprintf("%T", *p))
	return p
}

func main() {
	for _, key := range []string{"one", "two"} {
		some := make([]apple, one(1))
		tell(unsafe.Pointer(&some[0]), "[]main.apple")
		rest[key] = some[one(1):]
		other := make([]plum, one(3))
		tell(unsafe.Pointer(&other[0]), "[]main.plum")
		fields = append(fields, told(&field{rest: other[one(3):]}))
	}
	for i := 0; i < 40; i++ {
		sorted = append(sorted, told(&quince{}))
		counts = append(counts, medlar(40-i))
		names = append(names, name(fmt.Sprint(i)))
	}
	tell(unsafe.Pointer(&sorted[0]), "[]*main.quince")
	tell(unsafe.Pointer(&counts[0]), "[]main.medlar")
	tell(unsafe.Pointer(&names[0]), "[]main.name")
	sort.Slice(sorted, func(i, j int) bool { return i < j })
	for _, some := range []any{sorted, counts, names} {
		swaps = append(swaps, reflect.Swapper(some))
	}
	time.Sleep(50 * time.Millisecond)
	runtime.GC()
	runtime.GC()
	fmt.Println("ready")
	os.Stdin.Read(make([]byte, 1))
}
