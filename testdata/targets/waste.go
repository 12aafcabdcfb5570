// A program that knows what of its heap is wasted, by variable.
package main

import (
	"fmt"
	"os"
	"strings"
)

type rec struct {
	a bool
	b int64
	c bool
	d int64
	e bool
}

var (
	headers [][]byte
	texts   []string
	spare   [][]int64
	words   []string
	recs    []*rec
	emptied = map[int64][64]byte{}
	whole   [][]byte
)

func main() {
	for i := 0; i < 100; i++ {
		big := make([]byte, 64<<10)
		big[i] = 1
		headers = append(headers, big[:16])
		s := strings.Repeat("y", 8192) + fmt.Sprint(i)
		texts = append(texts, s[100:132])
		spare = append(spare, make([]int64, 600, 1024))
		words = append(words, strings.Repeat("dup", 500))
		whole = append(whole, make([]byte, 5000))
	}
	for i := 0; i < 10000; i++ {
		recs = append(recs, &rec{})
	}
	for i := int64(0); i < 20000; i++ {
		emptied[i] = [64]byte{}
	}
	for i := int64(0); i < 19990; i++ {
		delete(emptied, i)
	}
	fmt.Println("ready")
	os.Stdin.Read(make([]byte, 1))
}
