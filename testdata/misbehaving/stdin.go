// Reads its standard input, line by line, and says what came: `line 1: TEXT`, then `end after N`.
package main

import (
	"bufio"
	"fmt"
	"os"
)

func main() {
	count := 0
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		count++
		line := lines.Text()
		fmt.Printf("line %d: %s\n", count, line)
	}
	fmt.Println("end after", count)
}
