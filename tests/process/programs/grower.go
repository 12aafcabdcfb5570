// Takes as many MiB as it is told to (an argument, then lines on its standard input), and writes
// to all of them again and again.
package main

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"sync/atomic"
)

var blocks [64]atomic.Pointer[[]byte]

func grow(number int, text string) {
	mib, err := strconv.Atoi(text)
	if err != nil {
		panic(err)
	}
	block := make([]byte, mib<<20)
	for i := 0; i < len(block); i += 4096 {
		block[i] = 1
	}
	blocks[number].Store(&block)
}

func main() {
	grow(0, os.Args[1])
	go func() {
		for beat := byte(0); ; beat++ {
			for i := range blocks {
				if block := blocks[i].Load(); block != nil {
					for j := 0; j < len(*block); j += 4096 {
						(*block)[j] = beat
					}
				}
			}
		}
	}()
	fmt.Println("ready")
	number := 1
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); number++ {
		grow(number, lines.Text())
		fmt.Println("grown")
	}
}
