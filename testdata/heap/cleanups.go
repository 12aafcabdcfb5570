// What cleanups are called with: what they lead to is of one layout, and nothing else keeps it.
package main

import (
	"fmt"
	"os"
	"runtime"
	"time"
	"unsafe"
)

type (
	apple  struct{ a, b *int }
	pear   struct{ a, b *int }
	plum   struct{ a, b *int }
	cherry struct{ a, b *int }
	quince struct{ a, b *int }
)

type holder struct {
	n int
	p *apple
}

type pair[A, B any] struct {
	a *A
	b *B
}

type watched struct{ name string }

var keep []*watched

//go:noinline
func told[T any](p *T) *T {
	fmt.Printf("obj %#x %s\n", uintptr(unsafe.Pointer(p)), fmt.Sprintf("%T", *p))
	return p
}

func (w *watched) close(p *pear) { fmt.Println(w, p) }

func watch() *watched {
	keep = append(keep, &watched{name: fmt.Sprint(len(keep))})
	return keep[len(keep)-1]
}

//go:noinline
func add[A, B any](f func(pair[A, B])) {
	runtime.AddCleanup(watch(), f, pair[A, B]{told(new(A)), told(new(B))})
}

func main() {
	closer := &watched{name: "closer"}
	for i := 0; i < 70; i++ { // more than are shown one by one
		runtime.AddCleanup(watch(), func(h holder) { fmt.Println(h) }, holder{i, told(&apple{})})
	}
	runtime.AddCleanup(watch(), closer.close, told(&pear{}))
	runtime.AddCleanup(watch(), func(x any) { fmt.Println(x) }, any(told(&plum{})))
	runtime.AddCleanup(watch(), func(n int32) { fmt.Println(n) }, 7)
	runtime.AddCleanup(watch(), func(struct{}) {}, struct{}{})
	add(func(p pair[plum, cherry]) { fmt.Println(p) })
	add(func(p pair[cherry, quince]) { fmt.Println(p) })
	time.Sleep(50 * time.Millisecond)
	runtime.GC()
	fmt.Println("ready")
	os.Stdin.Read(make([]byte, 1))
}
