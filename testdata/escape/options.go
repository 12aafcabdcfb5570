// Function literals of functions that are inlined: told where these are called, made in the frame.
package main

type settings struct {
	name  string
	count int
	hook  func(int) int
}

type option func(*settings)

func withName(n string) option { return func(s *settings) { s.name = n } } // want: dead

func withCount(n int) option { return func(s *settings) { s.count = n } } // want: dead

func withHook(f func(int) int) option { return func(s *settings) { s.hook = f } } // want: dead

func zeroed() option { return func(s *settings) { s.count = 0 } } // want: dead

var (
	few  = 3
	kept settings

	several [6]option
)

//go:noinline
func apply(options ...option) {
	for _, o := range options {
		o(&kept)
	}
}

//go:noinline
func captured(name string) {
	apply(withName(name), withCount(few)) // want: confirmed_stack 1; confirmed_stack 1; confirmed_stack 1
}

//go:noinline
func withStatic(name string) {
	apply(withName(name), withHook(func(n int) int { return n + few })) // want: confirmed_stack 1; confirmed_stack 1; confirmed_stack 1; static
}

//go:noinline
func allStatic() {
	apply(zeroed(), zeroed()) // want: confirmed_stack 1; static 1; static 1
}

//go:noinline
func outlives() {
	for i := range several {
		several[i] = withCount(i) // want: confirmed_heap 6
	}
}

func main() {
	outlives()
	captured("some name")
	withStatic("other")
	allStatic()
	println(kept.count, kept.hook(1))
}
