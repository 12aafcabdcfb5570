// An optimised interface parameter that was spilled: Go 1.21 describes each of its words twice.
//
// builds: debug opt
package main

import (
	"fmt"
	"os"
)

//go:noinline
func show(v any, n *int, e error) string {
	fmt.Fprintln(os.Stderr, "shown", n != nil)
	println("here") // stop
	// want: v value=3 dynamic_type=int
	// want[opt]: v value=3 dynamic_type=int
	if e != nil {
		return e.Error()
	}
	return fmt.Sprint(v, *n)
}

func main() {
	n := len(os.Args)
	fmt.Println(show(3, &n, nil))
}
