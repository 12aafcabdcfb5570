// A parameter in memory of which nothing but one word is used: the compiler describes that alone,
// under the whole one's name. The code of a generic type takes its dictionary besides.
package main

import "fmt"

type box[P any] struct{ v P }

//go:noinline
func see(n int) {}

//go:noinline
func (r *box[P]) size(item, err string, w P, x map[int]int, b []uint8, v string, msg any) (int, P) {
	see(len(x))
	return len(b), w
}

//go:noinline
func size(item, err, more, yet string, x map[int]int, b []uint8, msg any) int {
	see(len(x))
	return len(b)
}

func main() {
	boxed := &box[float64]{}
	n, _ := boxed.size("a", "b", 1.5, map[int]int{1: 1}, make([]uint8, 3, 5), "c", n0)
	n += size("a", "b", "c", "d", nil, make([]uint8, 4, 6), n0)
	fmt.Println(n)
}

var n0 = 7
