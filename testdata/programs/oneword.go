// Optimised, an interface may be described by its data word alone, and a string or a slice without
// its constant length: what is missing is not made up.
//
// builds: debug opt
package main

import (
	"fmt"
	"os"
)

type table map[string]int

func (t table) String() string { return "a table" }

func main() {
	var held fmt.Stringer = table{"args": len(os.Args)}
	list := []string{"unreadable: not at all", os.Args[0][:0]}
	println("stop") // stop
	// want: held live value=`map["args":1]` dynamic_type=main.table
	// want[opt]: held optimized_out why~.*one.of.its.words.*
	// want: list live value=`["unreadable: not at all" ""]`
	// want[opt]: list optimized_out why~.*only.a.part.*
	fmt.Fprintln(os.Stderr, held, list)
}
