// Generic code over pointers, which are all one shape: which types they are its dictionary tells.
package main

type held[T any] struct {
	One  T
	Many []T
}

type pusher[T any] interface{ push(T) int }

// One call is one stop, though it goes through a wrapper of the same name.
// stop at main.(*held[...]).push hits=3
// want#1: x text=5 type=*int
// want#2: x text=6 type=*int
// want#3: x text=seven type=*string

//go:noinline
func (h *held[T]) push(x T) int {
	h.Many = append(h.Many, x)
	h.One = x
	return len(h.Many)
}

func show[T any](x T, p *T) {
	type pair struct{ A, B T }
	h := held[T]{x, []T{x}}
	both := pair{x, *p}
	again := func() T { return x }
	println("shown") // stop hits=3
	// want#1: x type=*int text=5 data.type=int
	// want#1: p type=**int
	// want#1: h type=main.held[*int]
	// want#1: h.One text=5 data.type=int
	// want#1: h.Many[0] text=5
	// want#1: both.B text=5
	// want#2: x type=*string text=seven data.type=string
	// want#2: h.Many[0] text=seven
	// want#3: x value=true type=bool
	// want#3: h value="{One:true Many:[true]}"
	_, _, _ = h, both, again
}

func main() {
	n, m, word, yes := 5, 6, "seven", true
	a, b, c := &n, &m, &word
	ints, strs := &held[*int]{}, &held[*string]{}
	var through pusher[*int] = ints
	value := strs.push
	println(ints.push(a), through.push(b), value(c))
	show(a, &a)
	show(c, &c)
	show(yes, &yes)
}
