// Values of every kind and size, for tests/script/test_values.py.
package main

type mode string
type base struct {
	Kind int
	text string
}
type node struct {
	base
	Val   int
	Next  *node
	Type  string
	value [3]int16
}
type point struct{ X, Y int }

var counter = 41
var table = map[string]point{"a": {1, 2}}

//go:noinline
func here(step int) int { return step }

//go:noinline
func inner(n int) int {
	n *= 2
	return here(n) + n
}

func main() {
	big := make([]int, 100_000)
	for i := range big {
		big[i] = i * 3
	}
	wide := [300]int32{}
	long := make([]byte, 5000)
	for i := range long {
		long[i] = byte('a' + i%26)
	}
	text := string(long)
	byInt := map[int]string{1: "one", -5: "minus five"}
	byText := map[string][]int{"k": {3, 4, 5, 6}, "with \"quotes\"\n": {1}}
	byPoint := map[point]bool{{1, 2}: true}
	large := map[int]int{}
	for i := 0; i < 4000; i++ {
		large[i] = i * i
	}
	var list *node
	for i := 40; i > 0; i-- {
		list = &node{base{i, "hidden"}, i, list, "kind", [3]int16{7, 8, -9}}
	}
	m := mode("dev")
	f, c, yes := 2.5, complex(1, -2), true
	var none *node
	var failed error
	var boxed any = []int{9, 8, 7}
	var anyText any = "boxed text"
	raw := string([]byte{0xff, 'x'})
	x := 1
	{
		x := "inner"
		here(len(x))
	}
	counter++
	here(0)
	wide[250] = 1
	text = string(long)
	big[77_777]++
	x++
	here(1)
	inner(21)
	println(len(big), wide[3], text == raw, len(byInt), len(byText), len(byPoint), len(large))
	println(list, m, f, c, yes, none, failed, boxed, anyText, len(table), x, raw)
}
