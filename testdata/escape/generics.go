// Generic functions: one body for each shape, called with a dictionary.
package main

type pair[A, B any] struct {
	a A
	b B
}

type list[T any] struct {
	head *item[T]
	n    int
}

type item[T any] struct {
	next *item[T]
	v    T
}

func (l *list[T]) push(v T) { // want: dead
	l.head = &item[T]{l.head, v} // want: dead
	l.n++
}

var (
	sink  any
	total int
	text  = "text of some length"
	keptF func() int
)

//go:noinline
func newOf[T any](v T) *T { // want: confirmed_heap 6
	return &v
}

//go:noinline
func sliceOf[T any](n int) []T {
	return make([]T, n) // want: confirmed_heap 2; confirmed_heap 2
}

//go:noinline
func boxed[T any](v T) any {
	return v // want: confirmed_heap 6
}

//go:noinline
func pairOf[A, B any](a A, b B) *pair[A, B] {
	return &pair[A, B]{a, b} // want: confirmed_heap 2; confirmed_heap 2
}

//go:noinline
func mapped[T, U any](in []T, f func(T) U) []U {
	out := make([]U, 0, len(in)) // want: confirmed_heap 2
	for _, v := range in {
		out = append(out, f(v)) // want: not_reached 0
	}
	return out
}

//go:noinline
func closureOver[T any](v T, f func(T) int) func() int {
	return func() int { return f(v) } // want: confirmed_heap 2
}

//go:noinline
func localOf[T any](v T, f func(*T) int) int {
	p := new(T) // want: confirmed_heap 2
	*p = v
	return f(p)
}

//go:noinline
func sum[T int | float64](in ...T) T {
	var n T
	for _, v := range in {
		n += v
	}
	return n
}

func inlined[T any](v T) *T { // want: dead
	p := new(T) // want: dead
	*p = v
	return p
}

//go:noinline
func callInlined(i int) *int {
	return inlined(i) // want: confirmed_heap 2
}

//go:noinline
func callInlinedString(s string) *string {
	return inlined(s) // want: confirmed_heap 2
}

//go:noinline
func length(s string) int { return len(s) }

func main() {
	for i := 0; i < 2; i++ {
		total += *newOf(i)
		total += len(*newOf(text)) + **newOf(&total)
		total += len(sliceOf[int](3)) + len(sliceOf[string](4))
		sink = boxed(i + 1000)
		sink = boxed(text)
		sink = boxed(pair[int, int]{i, i})
		total += pairOf(i, text).a
		total += pairOf(text, i).b
		total += len(mapped([]string{text, text}, length)) // want: confirmed_stack 2
		keptF = closureOver(text, length)
		total += keptF()
		total += localOf(i, func(p *int) int { return *p }) // want: static
		total += sum(i, 2, 3) // want: confirmed_stack 2
		total += *callInlined(i) + len(*callInlinedString(text))
		var l list[string]
		l.push(text) // want: confirmed_heap 2
		total += l.n
	}
	println(total)
}
