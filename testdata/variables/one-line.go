// Functions of one line, whose variables are declared at the line that runs.
package main

import "os"

//go:noinline
func check(values ...int) {
	for _, value := range values {
		print(value, " ")
	}
	println()
}

//go:noinline
func stop(n int) {}

func run(f func()) { f() }

func main() {
	x, s, y := 5, "abc", 7
	z := len(os.Args) * 8
	defer func() { y++; stop(1); check(y, len(s)) }()
	run(func() { x += 2; stop(2); check(x, len(s)) })
	run(func() { stop(z); check(z) })
	for i := 0; i < 2; i++ { w := i * 3; stop(i); check(i, w) }
	check(x)
	add := adder(10)
	check(add(1), add(2))
}

//go:noinline
func adder(n int) func(int) int { return func(k int) int { return n + k } }
