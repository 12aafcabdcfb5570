// Prints a lot: 100,000 numbered lines to stdout, 10,000 to stderr, 6 MB in all.
package main

import (
	"bufio"
	"fmt"
	"os"
)

func main() {
	out := bufio.NewWriter(os.Stdout)
	for i := 0; i < 100_000; i++ {
		fmt.Fprintf(out, "line %06d of one hundred thousand, to stdout\n", i)
		if i%10 == 0 {
			fmt.Fprintf(os.Stderr, "line %06d of ten thousand, to stderr\n", i/10)
		}
	}
	out.Flush()
}
