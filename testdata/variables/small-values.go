// Running values below 256, passed on as interfaces: the runtime boxes them in a table of its own.
package main

import "fmt"

//go:noinline
func f(n int) int {
	total := 0
	for i := 0; i < 3; i++ {
		total += n
		fmt.Println(total, i, n)
	}
	return total
}

func main() { f(100) }
