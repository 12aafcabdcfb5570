// Copies and parts of one string, and the same literal twice.
package main

//go:noinline
func show(first, copied, part, again string) int {
	return len(first) + len(copied) + len(part) + len(again)
}

//go:noinline
func twin() string { return "Hello, Go!" }

func main() {
	first := "Hello, Go!"
	copied := first
	part := first[7:9]
	show(first, copied, part, twin())
}
