// A module of several files and packages; types of the same name in two of them.
package main

import (
	"fmt"

	"example.com/multi/inner"
	"example.com/multi/inner/deep"
)

var version = "1.0"

func main() {
	b := inner.Box{Size: 2}
	d := deep.Box{Name: "deep", Inner: b}
	total := helper(b.Size)
	label := d.Label(total)
	fmt.Println(label) // stop
	// want: @stop function=main.main
	// want: b value={Size:2} type=example.com/multi/inner.Box|inner.Box
	// want: d type=example.com/multi/inner/deep.Box|deep.Box
	// want: d.Inner.Size value=2
	// want: total value=12
	// want: label value=deep/12 data=heap
	_ = version
}
