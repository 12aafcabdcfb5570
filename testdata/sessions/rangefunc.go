// Loops over functions, for tests/script/test_stepping.py: since Go 1.23.
package main

func seq(yield func(int) bool) {
	for i := 1; i < 3; i++ {
		if !yield(i) { // seq-yield
			return
		}
	}
}

//go:noinline
func nested() int { // nested
	total := 0          // nested-total
	for x := range seq { // nested-x
		for y := range seq { // nested-y
			total += x * y // nested-body
		}
	}
	return total // nested-return
}

func main() { println(nested()) }
