// A struct that is passed in registers, and whose words are stored two at a time since.
package main

type wide struct {
	a    uint
	b    float64
	x    uint32
	y    uint64
	next **int
	name func() int8
}

//go:noinline
func here() {}

func ptr[T any](v T) *T { return &v }

//go:noinline
func f(item wide) (y uint64) {
	defer func() {
		if recover() != nil {
			item.y--
			y = item.y
		}
	}()
	item = wide{a: 7, b: 2.5, x: 9, y: 4, next: ptr((*int)(nil)), name: func() int8 { return 49 }}
	here()
	panic(item.y)
}

func main() { println(f(wide{})) }
