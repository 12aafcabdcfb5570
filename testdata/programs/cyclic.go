// Data that leads back to itself: shown to a bounded depth, never followed for ever.
package main

import "container/ring"

type node struct {
	Name string
	Next *node
	Any  any
}

type self *self

func main() {
	a := &node{Name: "a"}
	b := &node{Name: "b", Next: a}
	a.Next = b
	loop := &node{Name: "loop"}
	loop.Next = loop
	loop.Any = loop
	slice := make([]any, 2)
	slice[0] = slice
	slice[1] = 1
	m := map[string]any{"n": 1}
	m["self"] = m
	var p self
	p = &p
	r := ring.New(3)
	r.Value = "r0"
	var knot any
	knot = &knot
	println("stop") // stop
	// want: a.Name value=a
	// want: a.Next.Name value=b
	// want: b.Next.Name value=a
	// want: loop.Name value=loop
	// want: loop.Next type=*main.node
	// want: loop.Any dynamic_type=*main.node
	// want: slice len=2 cap=2 type="[]interface {}|[]any|[]interface{}"
	// want: slice[1] value=1 dynamic_type=int
	// want: slice[0] dynamic_type="[]interface {}|[]any|[]interface{}"
	// want: m len=2
	// want: m["n"] value=1
	// want: p live
	// want: r.Value value=r0 dynamic_type=string
	// want: r.next.Value value=nil
	// want: knot live dynamic_type="*interface {}|*any|*interface{}"
	func() { // uses them: a dead variable would keep a stale pointer when the stack moves
		_, _, _, _, _, _, _, _ = a, b, loop, slice, m, p, r, knot
	}()
}
