package main

import (
	"encoding/csv"
	"fmt"
	"strings"
)

type Widget struct {
	Name string
	Data [3000]byte
	Next *Widget
}

type Small struct {
	Name  string
	Boxes map[string]*Box[int]
	small int
}

type Box[T any] struct {
	Value T
	Next  *Box[T]
}

var All *Widget
var Counter = 5

func Make(n int) any {
	for i := 0; i < n; i++ {
		All = &Widget{Name: fmt.Sprint("w", i), Next: All}
	}
	go func() { <-make(chan int) }()
	return All
}

func Various() []any {
	box := &Box[int]{Value: 1}
	return []any{
		&Small{Name: strings.Repeat("x", 40), Boxes: map[string]*Box[int]{"a": box}},
		box,
		map[Small2]*Small{{1}: {}},
		make(chan *Small, 3),
		&Box[*csv.Reader]{Value: csv.NewReader(nil)},
	}
}

type Small2 struct{ a int }

func Closure() func() int {
	w, n := &Widget{Name: "captured"}, 0
	return func() int { n++; return n + len(w.Name) }
}

func main() {}
