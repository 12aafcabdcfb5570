// A loop within another one whose variable has the same name.
package main

//go:noinline
func cp(n int) {}

//go:noinline
func nested() {
	for n := 0; n < 3; n++ {
		cp(3)
		for n := 0; n < 1; n++ {
			cp(4)
			cp(5)
		}
	}
}

func main() {
	nested()
}
