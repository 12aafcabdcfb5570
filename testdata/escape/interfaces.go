// Values that become interfaces.
package main

import (
	"errors"
	"fmt"
	"io"
)

type pair struct{ a, b int }

type withPointer struct {
	p *int
	n int
}

type onlyPointer struct{ p *int }

type big struct{ a [20]int }

type empty struct{}

type small uint8

type stringer interface{ String() string }

type name string

func (n name) String() string { return string(n) }

var (
	sink    any
	str     stringer
	global  = 12345
	number  = 1000
	text    = "some text"
	none    string
	numbers = []int{1, 2, 3}
	noSlice []int
	total   int
	truth   = true
)

//go:noinline
func keep(v any) { sink = v }

//go:noinline
func look(v any) int {
	if n, ok := v.(int); ok {
		return n
	}
	return 1
}

//go:noinline
func constantString() { keep("Hello, Go!") } // want: static

//go:noinline
func constantInt() { keep(100000) } // want: static

//go:noinline
func constantStruct() { keep(pair{1, 2}) } // want: confirmed_heap 3 @1.21-1.24; static @1.25-

//go:noinline
func smallInt(i int) { keep(i) } // want: static 3

//go:noinline
func largeInt(i int) { keep(i) } // want: confirmed_heap 3

//go:noinline
func int32Value(i int32) { keep(i) } // want: confirmed_heap 3

//go:noinline
func int16Value(i int16) { keep(i) } // want: confirmed_heap 3

//go:noinline
func byteValue(b byte) { keep(b) } // want: static

//go:noinline
func boolValue(b bool) { keep(b) } // want: static

//go:noinline
func smallType(b small) { keep(b) } // want: static

//go:noinline
func floatValue(f float64) { keep(f) } // want: confirmed_heap 3

//go:noinline
func stringValue(s string) { keep(s) } // want: confirmed_heap 3

//go:noinline
func emptyString(s string) { keep(s) } // want: static 3

//go:noinline
func sliceValue(s []int) { keep(s) } // want: confirmed_heap 3

//go:noinline
func nilSlice(s []int) { keep(s) } // want: static 3

//go:noinline
func structValue(p pair) { keep(p) } // want: confirmed_heap 3

//go:noinline
func structWithPointer(p withPointer) { keep(p) } // want: confirmed_heap 3

//go:noinline
func pointerShaped(p *int) { keep(p) }

//go:noinline
func structOfPointer(p *int) { keep(onlyPointer{p}) }

//go:noinline
func bigStruct(i int) {
	var b big
	b.a[0] = i
	keep(b) // want: confirmed_heap 3
}

//go:noinline
func emptyStruct() { keep(empty{}) } // want: static

//go:noinline
func funcValue(f func()) { keep(f) }

//go:noinline
func mapValue(m map[int]int) { keep(m) }

//go:noinline
func notKept(i int) int { return look(i) } // want: confirmed_stack 3

//go:noinline
func structNotKept(p pair) int { return look(p) } // want: confirmed_stack 3

//go:noinline
func toNonEmpty(s string) { str = name(s) } // want: confirmed_heap 3

//go:noinline
func assertedAgain(v any) { str, _ = v.(stringer) }

//go:noinline
func newError() error { return errors.New("broken") } // want: confirmed_heap 3

//go:noinline
func wrapped(err error) error { return fmt.Errorf("outer: %w", err) } // want: confirmed_stack 3; not_reached 0 @1.26-

//go:noinline
func printed(w io.Writer, i int, s string) {
	fmt.Fprintln(w, "constant", i, s) // want: confirmed_stack 3; static; confirmed_heap 3; confirmed_heap 3
}

//go:noinline
func arrayOfInterfaces(i int) []any {
	return []any{i, "x", text} // want: confirmed_heap 3; confirmed_heap 3; static; confirmed_heap 3
}

//go:noinline
func panicsAndRecovers(i int) (n int) {
	defer func() { // want: confirmed_stack 3
		if v := recover(); v != nil {
			n = look(v)
		}
	}()
	panic(i) // want: confirmed_heap 3
}

//go:noinline
func comparedOnly(i int) bool { return sink == any(i) } // want: not_reached

func main() {
	x := 7
	for i := 0; i < 3; i++ {
		constantString()
		constantInt()
		constantStruct()
		smallInt(i)
		largeInt(number)
		int32Value(int32(number))
		int16Value(int16(number))
		byteValue(byte(i))
		boolValue(truth)
		smallType(small(i))
		floatValue(float64(number) / 3)
		stringValue(text)
		emptyString(none)
		sliceValue(numbers)
		nilSlice(noSlice)
		structValue(pair{i, i})
		structWithPointer(withPointer{&global, i})
		pointerShaped(&global)
		structOfPointer(&global)
		bigStruct(i)
		emptyStruct()
		funcValue(constantInt)
		mapValue(nil)
		total += notKept(number) + structNotKept(pair{i, x})
		toNonEmpty(text)
		assertedAgain(str)
		err := newError()
		if wrapped(err) != nil {
			total++
		}
		printed(io.Discard, number, text)
		total += len(arrayOfInterfaces(number))
		total += panicsAndRecovers(number)
		if comparedOnly(number) {
			total++
		}
	}
	println(total)
}
