// What shares an object or a line with others: who is whose.
package main

var (
	p, q, r *int
	x       *float64
	b       *byte
	kept    []int
	sink    any
	total   int
	number  = 1000
)

//go:noinline
func use(s []int) { total += len(s) }

//go:noinline
func count(values ...any) int { return len(values) }

//go:noinline
func each(f func(int) *int) {
	for i := 0; i < 3; i++ {
		p = f(i)
	}
}

// Small variables without pointers that are moved to the heap one after the other: since 1.25 the
// compiler makes one object of as many as 16 bytes hold.
//
//go:noinline
func oneAfterTheOther(i int) {
	one := i       // want: confirmed_heap 5
	two := i + 1   // want: confirmed_heap 5 @1.21-1.24; shared 5 @1.25-
	three := i + 2 // want: confirmed_heap 5
	p, q, r = &one, &two, &three
}

//go:noinline
func parameters(
	one int, // want: confirmed_heap 5
	two float64, // want: confirmed_heap 5 @1.21-1.24; shared 5 @1.25-
	three byte, // want: confirmed_heap 5
) {
	p, x, b = &one, &two, &three
}

//go:noinline
func made(a []int) {
	// The code of the second is not that of the first: it is copied into at once.
	s, t := make([]int, len(a)), make([]int, len(a)) // want: confirmed_heap 1; confirmed_heap 1 @1.21-1.24; spilled_to_heap 1 @1.25-
	copy(s, a)
	copy(t, a)
	use(s)
	kept = t
}

//go:noinline
func literals() {
	use([]int{number, 2}); kept = []int{}; use([]int{number, 4}) // want: confirmed_stack 1; static; confirmed_stack 1
}

//go:noinline
func boxes(v int) {
	total += count(1, "a", v, 2.5) // want: confirmed_stack 1; static 1; static 1; confirmed_stack 1; static 1
}

//go:noinline
func passing(s []byte) {
	if string(s) == "hello" { // want: no_copy
		total++
	}
	long := "<" + string(s) + ">" // want: no_copy; confirmed_stack
	total += len(long)
}

//go:noinline
func literalInALine(v []int) {
	use([]int{number}); each(func(i int) *int { return &[]int{i, i}[1] }); use([]int{number, number, number}) // want: confirmed_stack 1; static 1; confirmed_heap 3; confirmed_stack 1
}

func main() {
	for i := 0; i < 5; i++ {
		oneAfterTheOther(i)
		parameters(i, 2, 3)
	}
	made(make([]int, 20)) // want: confirmed_stack 1
	literals()
	boxes(number)
	passing([]byte("hello")) // want: no_copy @1.24-; confirmed_stack @1.21
	literalInALine(kept)
	inlinedAppend()
}

var all []any

func collect(vs ...int) []any {
	var r []any
	for _, v := range vs {
		r = append(r, v) // want: dead; dead @1.25-
	}
	return r
}

//go:noinline
func inlinedAppend() {
	all = append(all, 1, 2) // want: unpredicted 1 @1.21-1.24; confirmed_heap 1 @1.25-; static; static
	all = append(all, collect(1000)...) // want: unpredicted 2 @1.21-1.24; elided @1.21-1.24; confirmed_heap 1; confirmed_heap 1 @1.25-; confirmed_stack 1 @1.25-; confirmed_stack 0 @1.25; deferred_heap 1 @1.26-
}
