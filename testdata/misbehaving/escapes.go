// Holds strings that would do harm on a terminal, and prints one of them.
package main

import "fmt"

func main() {
	title := "\x1b]0;owned\x07"
	clear := "\x1b[2J\x1b[H"
	invalid := "\xff\xfe\x80 \xc3"
	override := "safe\u202egnp.exe"
	c1 := "\u009b31m"
	names := map[string]string{"\x1b[31mkey": "\x1b[0mvalue"}
	fmt.Println(title, clear)
	_, _, _, _ = invalid, override, c1, names
}
