// Dereferences nil: a Go panic, exit code 2.
package main

import "fmt"

type node struct{ val int }

func main() {
	var n *node
	fmt.Println("before")
	fmt.Println(n.val)
}
