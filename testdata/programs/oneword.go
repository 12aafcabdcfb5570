// Optimised, an interface may be described by its data word alone, and a string or a slice without
// its constant length: what is missing is not made up. A field that the compiler took out of its
// struct is no variable of the source.
//
// builds: debug opt
package main

import (
	"fmt"
	"os"
)

type table map[string]int

func (t table) String() string { return "a table" }

type pair struct {
	A int
	B *pair
}

//go:noinline
func give(p pair) { kept = p.B; println(p.A, p.B) }

var kept *pair

func main() {
	var held fmt.Stringer = table{"args": len(os.Args)}
	list := []string{"unreadable: not at all", os.Args[0][:0]}
	p := pair{2, &pair{}}
	println("meanwhile", fmt.Sprint(len(list)))
	give(p)
	println("stop") // stop
	// want: p.A live value=2
	// want: pB absent
	// want[opt]: pB absent
	// want: held live value=`map["args":1]` dynamic_type=main.table
	// want[opt]: held optimized_out why~.*one.of.its.words.*
	// want: list live value=`["unreadable: not at all" ""]`
	// want[opt]: list optimized_out why~.*only.a.part.*
	give(p)
	fmt.Fprintln(os.Stderr, held, list)
}
