// Types of one name: each function's own. What main prints is what a stripped program's heap is to
// tell of them: "NAME COUNT", NAME? where an address may tell it apart instead.
package main

import (
	"fmt"
	"os"
	"strings"
)

// The package's own, which two functions make.
type node struct {
	left, right *node
	value       int
}

type tree struct{ root any }

var keep []any

//go:noinline
func plain(n int) {
	type node struct {
		next *node
		text string
	}
	var list *node
	for i := 0; i < n; i++ {
		list = &node{list, strings.Repeat("p", i+1)}
	}
	keep = append(keep, list)
}

//go:noinline
func (t *tree) insert(n int) {
	type node struct {
		kids  []*node
		names map[string]*node
	}
	var made []*node
	for i := 0; i < n; i++ {
		made = append(made, &node{kids: made})
	}
	t.root = made
	keep = append(keep, t)
}

//go:noinline
func literal(n int) func() {
	type node struct{ a, b, c, d *int }
	return func() {
		for i := 0; i < n; i++ {
			keep = append(keep, &node{a: new(int)})
		}
	}
}

// Inlined into main and nowhere else, as others are.
func inlined(n int) *[]int {
	type node struct{ list []int }
	made := &node{make([]int, n)}
	keep = append(keep, made)
	return &made.list
}

// What is inlined names the type in the line table, and has not declared it.
func push(v any) { keep = append(keep, v) }

//go:noinline
func pushed() {
	type node struct{ f [8]*int }
	for i := 0; i < 20; i++ {
		push(&node{})
	}
}

// Inlined by two, who name its type both: it is not the package's.
func common() any {
	type node struct{ g [9]*int }
	return &node{}
}

//go:noinline
func oneOf(n int) {
	for i := 0; i < n; i++ {
		keep = append(keep, common())
	}
}

//go:noinline
func another(n int) {
	for i := 0; i < n; i++ {
		keep = append(keep, common(), common())
	}
}

// Two of one function: nothing but their addresses tells them apart.
//
//go:noinline
func twice(n int) {
	{
		type node struct{ a [3]*int }
		for i := 0; i < n; i++ {
			keep = append(keep, &node{})
		}
	}
	{
		type node struct{ b [5]*int }
		for i := 0; i < n+1; i++ {
			keep = append(keep, &node{})
		}
	}
}

// A type that generic code makes: no code names its descriptor, or its caller's alone.
func boxed[T any](v T) *T {
	p := new(T)
	*p = v
	keep = append(keep, p)
	return p
}

//go:noinline
func given() {
	type node struct{ e [6]*int }
	for i := 0; i < 14; i++ {
		boxed(node{})
	}
}

// Generic functions' own types, of one name and with the same arguments.
//
//go:noinline
func first[T any](v T) {
	type cell struct {
		v T
		p *int
	}
	for i := 0; i < 15; i++ {
		keep = append(keep, &cell{v: v})
	}
}

//go:noinline
func second[T any](v T) {
	type cell struct {
		p [7]*int
		v T
	}
	for i := 0; i < 16; i++ {
		keep = append(keep, &cell{v: v})
	}
}

//go:noinline
func own(n int) *node {
	var root *node
	for i := 0; i < n; i++ {
		root = &node{left: root}
	}
	return root
}

//go:noinline
func other() *node { return &node{right: &node{}} }

func main() {
	plain(5)
	(&tree{}).insert(6)
	literal(7)()
	inlined(8)
	twice(10)
	given()
	pushed()
	oneOf(7)
	another(7)
	first(1)
	second(2)
	keep = append(keep, own(17), other())
	for _, line := range []string{
		"main.node·plain 5", "main.node·(*tree).insert 6", "main.node·literal 7",
		"main.node·inlined? 1", "main.node·twice? 10", "main.node·twice? 11", "main.node 19",
		"main.node·given? 14", "main.node·pushed? 20", "main.node·common 21",
		"main.cell[int]·first? 15", "main.cell[int]·second? 16",
	} {
		fmt.Println("type", line)
	}
	fmt.Println("ready")
	os.Stdin.Read(make([]byte, 1))
	fmt.Println(len(keep))
}
