// A function whose first call is put into its caller, and calls itself.
package main

import "os"

func fact(n int) int {
	if n == 0 {
		return 1
	}
	return n * fact(n-1)
}

func main() {
	os.Exit(fact(5) - fact(len(os.Args)+3))
}
