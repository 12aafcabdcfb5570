// Arguments that travel on the stack, arrays of two and more and what finds no register, are the
// caller's: there from the first instruction on, also where the function assigns to them later.
package main

var sink any

// stop at main.moved
// want: arr value="[5 6 7]"
// want: y value=1

//go:noinline
func moved(arr [3]int, y int) {
	change := func() { arr[1]++; y++ }
	change()
	sink = change
	println("moved") // stop
	// want: arr moved value="[5 7 7]"
	// want: y moved value=2
}

// stop at main.assigned
// want: pair[0] value=one
// want: i value=10
// want: last value=11

//go:noinline
func assigned(a, b, c, d, e, f, g, h, i int, pair [2]string, last int) (out [2]int) {
	println("assigned") // stop
	// want: pair[1] value=two
	// want: last value=11
	pair[1] = "changed"
	last = 3
	out[0] = a + b + c + d + e + f + g + h + i
	println("changed") // stop
	// want: pair[0] value=one
	// want: pair[1] value=changed
	// want: last value=3
	// want: out value="[54 0]"
	return out
}

// A struct that ends in nothing is larger than its registers.
type tail struct {
	a int
	b struct{}
}

// stop at main.padded
// want: r value="{a:5 b:{}}" size=16

//go:noinline
func padded(r tail, rest [1]string) int { return r.a + len(rest[0]) }

func main() {
	println(padded(tail{a: 5}, [1]string{"s"}))
	moved([3]int{5, 6, 7}, 1)
	println(assigned(2, 3, 4, 5, 6, 7, 8, 9, 10, [2]string{"one", "two"}, 11)[0])
}
