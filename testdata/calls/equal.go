// Values that are equal or not: the program says what Go's == has for each pair of arguments.
package main

import (
	"fmt"
	"math"
	"strings"
)

type point struct{ X, Y int }
type node struct {
	Name string
	Next *node
	Any  any
	_    int
}
type named *point
type text string
type wide struct {
	A00, A01, A02, A03, A04, A05, A06, A07, A08, A09, A10, A11, A12, A13, A14, A15, A16, A17 int
	B00, B01, B02, B03, B04, B05, B06, B07, B08, B09, B10, B11, B12, B13, B14, B15, B16, B17 int
	C00, C01, C02, C03, C04, C05, C06, C07, C08, C09, C10, C11, C12, C13, C14, C15, C16, C17 int
	D00, D01, D02, D03, D04, D05, D06, D07, D08, D09, D10, D11, D12, D13, D14, D15, D16, Last int
}

//go:noinline
func pointers(a, b *point, x, y any) bool { return a == b && x == y }

//go:noinline
func structs(a, b node) bool { return a == b }

//go:noinline
func boxed(a, b any) bool { return a == b }

//go:noinline
func arrays(a, b [2]*point) bool { return a == b }

//go:noinline
func channels(a, b chan int) bool { return a == b }

//go:noinline
func names(a, b named) bool { return a == b }

//go:noinline
func failed(a error, b *point) bool { return a == nil && b == nil }

//go:noinline
func floats(a, b float64) bool { return a == b }

//go:noinline
func lists(a, b []any, f, g func(), m, n map[string]int) int {
	return len(a) + len(b) + len(m) + len(n)
}

//go:noinline
func maps(byText map[string]int, byPart map[point]bool, byList map[[2]int]point,
	byAny map[any]int, byPointer map[*point]int, many map[string]int, empty map[string]int) map[float64]string {
	return map[float64]string{1.5: "x", 2: "y"}
}

//go:noinline
func cut(list *[]int, held any, whole wide, at *string, raw string, box any, long map[string]int) int {
	return len(*list)
}

func main() {
	p, q, k := &point{1, 2}, &point{1, 2}, 3
	n := &node{Name: "n"}
	for _, pair := range [][2]*point{{p, p}, {p, q}, {nil, p}, {nil, nil}} {
		a, b := pair[0], pair[1]
		fmt.Println("pointers", pointers(a, b, a, b))
		fmt.Println("arrays", arrays([2]*point{p, a}, [2]*point{p, b}))
		fmt.Println("names", names(a, b))
	}
	for _, pair := range [][2]node{
		{{"s", n, 3, 0}, {"s", n, 3, 0}}, {{"s", n, 3, 0}, {"s", &node{Name: "n"}, 3, 0}},
		{{"s", n, 3, 0}, {"s", n, int32(3), 0}}, {{"s", nil, p, 0}, {"s", nil, q, 0}},
		{{"s", nil, *p, 0}, {"s", nil, *q, 0}}, {{"s", nil, nil, 0}, {"t", nil, nil, 0}},
	} {
		fmt.Println("structs", structs(pair[0], pair[1]))
	}
	for _, pair := range [][2]any{
		{3, 3}, {3, int32(3)}, {"s", text("s")}, {text("s"), text("s")}, {*p, *q}, {p, q}, {p, p},
		{nil, p}, {(*point)(nil), nil}, {(*point)(nil), (*point)(nil)}, {(*point)(nil), (*node)(nil)},
		{named(p), p}, {true, 1}, {1i, 1i}, {uintptr(7), uintptr(7)}, {[1]any{p}, [1]any{q}},
		{math.NaN(), math.NaN()}, {2.0, 2.0}, {"", ""}, {*n, *n},
	} {
		fmt.Println("boxed", boxed(pair[0], pair[1]))
	}
	c, d := make(chan int, 2), make(chan int, 2)
	fmt.Println("channels", channels(c, d))
	fmt.Println("channels", channels(d, d))
	fmt.Println("failed", failed(nil, nil))
	fmt.Println("floats", floats(math.NaN(), math.NaN()))
	fmt.Println("floats", floats(math.Copysign(0, -1), 0))
	f, g := func() { k++ }, func() { k-- }
	m := map[string]int{"a": 1, "b\n\"q": 2}
	lists([]any{p, 1, "s"}, []any{p, 1, "s"}, f, f, m, map[string]int{"a": 1, "b\n\"q": 2})
	lists([]any{p, 1, "s"}, []any{q, 1, "s"}, f, g, m, map[string]int{"a": 1})
	many := map[string]int{}
	for i := 0; i < 500; i++ {
		many[fmt.Sprint("k", i)] = i
	}
	maps(m, map[point]bool{{5, 6}: true}, map[[2]int]point{{1, 2}: {3, 4}},
		map[any]int{"s": 1, 2: 2, int8(5): 3, *p: 4, true: 5}, map[*point]int{p: 1}, many, map[string]int{})
	list, held := make([]int, 40), make([]string, 30)
	at := "at\t\"x\""
	cut(&list, held, wide{A00: 1, Last: 9}, &at, "\xffraw\u2028", "boxed\n", map[string]int{strings.Repeat("k", 2000): 1})
}
