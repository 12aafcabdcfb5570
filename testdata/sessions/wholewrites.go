// Writes of several words, of equal values, and in frames that are left, for
// tests/script/test_watch_whole.py.
package main

import (
	"errors"
	"runtime"
)

type point struct{ X, Y int }

type thing struct {
	Name string
	Err  error
	Z    complex128
	List []int
}

type wide struct {
	A   int
	Arr [10]int8
	F   float64
}

var given, noise int
var whole wide

//go:noinline
func here(t *thing) {}

//go:noinline
func spin(n int) int {
	if n > 0 {
		return spin(n-1) + 1
	}
	return n
}

func busy() {
	for {
		noise += spin(50)
	}
}

//go:noinline
func framed(n int) int {
	local := n
	here(nil)
	local += 10
	return local
}

//go:noinline
func keys(byPoint map[point]string, byPair map[[2]int]bool, raw []byte, none *int,
	byAddress map[*int]string, mixed map[any]int) {
	here(nil)
}

//go:noinline
func zero(w *wide) { *w = wide{A: 5} }

//go:noinline
func set(w *wide, n int8) { w.Arr[0] = n }

func main() {
	noise = spin(300)
	for i := int8(1); i < 4; i++ {
		set(&whole, i)
		zero(&whole)
	}
	t := &thing{Name: "one"}
	here(t)
	t.Name = "three"
	t.Name = "seven"
	t.Err = errors.New("wrong")
	t.Z = complex(1, 2)
	t.List = []int{1, 2}
	t.List = t.List[:1]
	here(t)
	framed(1)
	framed(2)
	keys(map[point]string{{1, 2}: "a", {3, 4}: "b"}, map[[2]int]bool{{5, 6}: true}, []byte("raw"), nil,
		map[*int]string{new(int): "a", new(int): "b"}, map[any]int{1: 1, int8(1): 2, "1": 3, nil: 4})
	go busy()
	go busy()
	for i := 1; i < 20; i++ {
		given = i
		for k := 0; k < 3; k++ {
			runtime.Gosched() // it goes on on another thread, maybe
			given = i
		}
	}
	println(t.Name, len(t.List), given)
}
