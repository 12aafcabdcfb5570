// What every program of this kind tells of its objects. Nothing here is allocated when the program
// stands: lines are written into a global buffer, addresses are kept as numbers.
package main

import (
	"os"
	"reflect"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

const longest = 1 << 22

var (
	told   [longest]byte
	length int
	stats  runtime.MemStats
	answer [1]byte
	escape unsafe.Pointer
	seen   map[reflect.Type]int
	known  map[reflect.Type]int
	never  chan struct{}
	stood  atomic.Int32
	lates  []func()
	unsure []any
)

func word(s string) {
	if length+len(s)+1 > longest {
		panic("the program has too much to tell")
	}
	length += copy(told[length:], s)
	told[length] = ' '
	length++
}

func number(n uintptr) {
	var digits [20]byte
	out := strconv.AppendUint(digits[:0], uint64(n), 10)
	length += copy(told[length:], out)
	told[length] = ' '
	length++
}

func end() { told[length-1] = '\n' }

// typeNumber describes a type once, with all that lies in a value of it.
func typeNumber(t reflect.Type) int {
	if n, ok := seen[t]; ok {
		return n
	}
	n := len(seen)
	seen[t] = n
	switch t.Kind() {
	case reflect.Struct:
		for i := 0; i < t.NumField(); i++ {
			f := t.Field(i)
			part := typeNumber(f.Type)
			word("part")
			number(uintptr(n))
			number(f.Offset)
			number(uintptr(part))
			number(1)
			end()
		}
	case reflect.Array:
		part := typeNumber(t.Elem())
		word("part")
		number(uintptr(n))
		number(0)
		number(uintptr(part))
		number(uintptr(t.Len()))
		end()
	}
	word("type")
	number(uintptr(n))
	number(t.Size())
	word(t.String())
	end()
	also := ""
	switch t.Kind() { // what a named type is made of
	case reflect.Map:
		also = "map[" + t.Key().String() + "]" + t.Elem().String()
	case reflect.Chan:
		also = "chan " + t.Elem().String()
	}
	if also != "" {
		word("also")
		number(uintptr(n))
		word(also)
		end()
	}
	return n
}

// direct: whether an interface holds values of the type in its data word.
func direct(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Pointer, reflect.Map, reflect.Chan, reflect.Func, reflect.UnsafePointer:
		return true
	case reflect.Array:
		return t.Len() == 1 && direct(t.Elem())
	case reflect.Struct:
		pointers, others := 0, 0
		for i := 0; i < t.NumField(); i++ {
			if f := t.Field(i).Type; direct(f) {
				pointers++
			} else if f.Size() > 0 {
				others++
			}
		}
		return pointers == 1 && others == 0
	}
	return false
}

// object tells of an object: what it is made for, its first byte, how many values of which type.
func object(what string, at unsafe.Pointer, count int, t reflect.Type) {
	n := typeNumber(t)
	escape = at
	escape = nil
	word("object")
	word(what)
	number(uintptr(at))
	number(uintptr(count))
	number(uintptr(n))
	end()
}

func typeOf[T any]() reflect.Type { return reflect.TypeOf((*T)(nil)).Elem() }

//go:noinline
func value[T any](p *T) *T {
	object("value", unsafe.Pointer(p), 1, typeOf[T]())
	return p
}

//go:noinline
func array[S ~[]T, T any](s S) S {
	all := []T(s)
	object("array", unsafe.Pointer(unsafe.SliceData(all[:cap(all)])), cap(all), typeOf[T]())
	return s
}

//go:noinline
func table[M ~map[K]V, K comparable, V any](m M) M {
	object("map", *(*unsafe.Pointer)(unsafe.Pointer(&m)), 1, typeOf[M]())
	return m
}

//go:noinline
func channel[C ~chan T, T any](c C) C {
	object("chan", *(*unsafe.Pointer)(unsafe.Pointer(&c)), cap(c), typeOf[C]())
	return c
}

// closure: `name` is what its code is called.
//
//go:noinline
func closure[F any](f F) F {
	at := *(*unsafe.Pointer)(unsafe.Pointer(&f))
	object("closure", at, 1, typeOf[F]())
	word("code")
	number(uintptr(at))
	word(runtime.FuncForPC(*(*uintptr)(at)).Name())
	end()
	return f
}

//go:noinline
func text(n int) string {
	s := strings.Repeat("x", n) + strconv.Itoa(n)
	object("text", unsafe.Pointer(unsafe.StringData(s)), len(s), typeOf[byte]())
	return s
}

func numbered(n int) string { return "key " + strconv.Itoa(n) }

// boxed: what an interface holds behind its data word.
//
//go:noinline
func boxed(v any) any {
	if !direct(reflect.TypeOf(v)) {
		box := (*[2]unsafe.Pointer)(unsafe.Pointer(&v))[1]
		object("value", box, 1, reflect.TypeOf(v))
		inside(reflect.TypeOf(v), box)
	}
	return v
}

// inside tells of the slices and strings in a value, which alone are filled where it is copied.
func inside(t reflect.Type, at unsafe.Pointer) {
	switch t.Kind() {
	case reflect.Slice, reflect.String:
		edge(at)
	case reflect.Struct:
		for i := 0; i < t.NumField(); i++ {
			inside(t.Field(i).Type, unsafe.Add(at, t.Field(i).Offset))
		}
	}
}

// held tells of what an interface leads to, a value or what a pointer points at, and where that is.
//
//go:noinline
func held(v any) unsafe.Pointer {
	at := (*[2]unsafe.Pointer)(unsafe.Pointer(&v))[1]
	if t := reflect.TypeOf(v); t.Kind() == reflect.Pointer {
		object("value", at, 1, t.Elem())
	} else {
		boxed(v)
	}
	return at
}

// Dynamic holds values of types that reflect has made.
type Dynamic any

type Once func() any

//go:noinline
func dynamic(v any) any {
	at := held(v)
	switch t := reflect.TypeOf(v); t.Kind() {
	case reflect.Slice:
		s := reflect.ValueOf(v)
		object("array", s.UnsafePointer(), s.Cap(), t.Elem())
		edge(at)
	case reflect.Map:
		object("map", at, 1, t)
	case reflect.Chan:
		object("chan", at, reflect.ValueOf(v).Cap(), t)
	}
	return v
}

// built tells of the array of a strings.Builder, whose first word is its own address.
//
//go:noinline
func built(b *strings.Builder) {
	all := *(*[]byte)(unsafe.Add(unsafe.Pointer(b), 8))
	object("array", unsafe.Pointer(unsafe.SliceData(all)), cap(all), typeOf[byte]())
	edge(unsafe.Add(unsafe.Pointer(b), 8))
}

// kept: something that lies in no object and no variable of the package holds the pointer.
//
//go:noinline
func kept(p unsafe.Pointer) {
	word("kept")
	number(uintptr(p))
	end()
}

// attached: as long as the object at `to` is there `p` is kept, by its finalizer (which keeps what
// the object points at, too) or a cleanup.
//
//go:noinline
func attached(to, p unsafe.Pointer, finalizer uintptr) {
	word("attached")
	number(uintptr(to))
	number(uintptr(p))
	number(finalizer)
	end()
}

// apart: whether an address lies outside of an object (and of the slot that small ones share).
func apart(object unsafe.Pointer, size uintptr, p unsafe.Pointer) bool {
	low, at := uintptr(object)&^15, uintptr(p)
	return at < low || at >= uintptr(object)+size+16
}

//go:noinline
func deferred[T any](p *T) { runtime.KeepAlive(p) }

//go:noinline
func forever() { select {} }

// later does something when no collection follows any more.
func later(do func()) { lates = append(lates, do) }

// edge: the word at `slot` is a pointer.
//
//go:noinline
func edge(slot unsafe.Pointer) {
	word("edge")
	number(uintptr(slot))
	number(*(*uintptr)(slot))
	end()
}

// edges: of an interface the second word.
//
//go:noinline
func second(slot unsafe.Pointer) { edge(unsafe.Add(slot, 8)) }

// holds: somewhere in the object that begins at `from` (a map, a channel) is the pointer `to`.
//
//go:noinline
func holds(from, to unsafe.Pointer) {
	word("holds")
	number(uintptr(from))
	number(uintptr(to))
	end()
}

func pointer[T any](v T) unsafe.Pointer { return *(*unsafe.Pointer)(unsafe.Pointer(&v)) }

func root(name string, at unsafe.Pointer, size uintptr) {
	word("root")
	number(uintptr(at))
	number(size)
	word(name)
	end()
}

// letGo clears a pointer when no collection will follow any more.
//
//go:noinline
func letGo(slot unsafe.Pointer) {
	word("gone")
	number(uintptr(slot))
	end()
	*(*unsafe.Pointer)(slot) = nil
}

// clean overwrites what calls have left on the stack.
//
//go:noinline
func clean() (sum int) {
	var scratch [1 << 14]byte
	for i := range scratch {
		sum += int(scratch[i])
	}
	return sum
}

func main() {
	runtime.GOMAXPROCS(1)
	debug.SetGCPercent(-1) // nothing that was told of is collected, and its memory used again, yet
	seen = map[reflect.Type]int{}
	build()

	roots()
	known = seen
	seen = nil
	clean()
	for i := 0; i < 3; i++ {
		runtime.GC()
		time.Sleep(time.Millisecond)
	}
	word("late")
	end()
	seen, known = known, nil
	for _, do := range lates {
		do()
	}
	seen, lates = nil, nil
	drop()
	time.Sleep(5 * time.Millisecond)
	os.Stdout.WriteString("\n")
	tasks, _ := os.ReadDir("/proc/self/task")
	runtime.ReadMemStats(&stats)
	word("stats")
	number(uintptr(stats.HeapObjects))
	number(uintptr(stats.HeapAlloc))
	number(uintptr(len(tasks)))
	end()
	word("ready")
	end()
	os.Stdout.Write(told[:length])
	syscall.Read(0, answer[:])
}

// wait until a goroutine has told all and stands; it is the only one that runs meanwhile.
func standing(n int32) {
	for stood.Load() < n {
		time.Sleep(100 * time.Microsecond)
	}
	time.Sleep(200 * time.Microsecond)
}
