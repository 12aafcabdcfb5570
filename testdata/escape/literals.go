// Literals of several lines, and of named types: the code stands on another line than the message.
package main

type words []string

func (w words) Error() string { return "" }

type table map[string][]string

type row struct {
	name string
	in   map[string]int
	out  []string
	f    func() int
	p    *int
}

var (
	kept   table
	rows   []row
	err    error
	number = 4
)

//go:noinline
func fill(s string) {
	kept = table{ // want: confirmed_heap 1
		"a": {s, "x"}, // want: confirmed_heap 1
		"b": {s}, // want: confirmed_heap 1
		"c": {"k", s, s}, // want: confirmed_heap 1
	}
}

//go:noinline
func local(s string) int {
	t := table{ // want: confirmed_stack 2
		"a": {s, "x"}, // want: confirmed_heap 1
		"b": {s}, // want: confirmed_heap 1
	}
	return len(t["a"])
}

//go:noinline
func build(
	n int, // want: confirmed_heap 1
	s string,
) {
	rows = []row{ // want: confirmed_heap 1
		{
			name: "one",
			in: map[string]int{ // want: confirmed_heap 1
				"z": n,
			},
			out: []string{ // want: confirmed_heap 1
				s,
			},
			f: func() int { return n }, // want: confirmed_heap 1
			p: &n,
		},
		{
			"two",
			map[string]int{"z": 1}, // want: confirmed_heap 1
			[]string{s, s},         // want: confirmed_heap 1
			nil,
			new(int), // want: confirmed_heap 1
		},
	}
}

//go:noinline
func boxed(s string) {
	err = words{s} // want: confirmed_heap 2
	number += len(words{s}.Error()) // want: elided
}

func main() {
	fill("q")
	number += local("r")
	build(number, "t")
	boxed("u")
}
