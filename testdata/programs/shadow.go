// One name several times: the innermost one is meant, the hidden ones are still there.
package main

func value() (int, error) { return 3, nil }

func main() {
	for later := 0; later < 1; later++ {
		println(later) // stop
		// want: later live value=0 type=int
		// want: later shadowed not_yet type=string
	}
	later := "declared further down, in the outer block"
	_ = later
	x := 1
	println("settle", (*int)(nil)) // the stack grows here, not later
	println("at x1", &x)
	{
		println(x) // stop
		// want: x live value=1 type=int printed=x1
		// want: x shadowed not_yet type=string
		x := "two"
		println("settle", (*int)(nil)) // the stack grows here, not later
		println("at x2", &x)           // stop
		// want: x live value=two type=string printed=x2
		// want: x shadowed live value=1 type=int printed=x1
		if x, err := value(); err == nil {
			println("settle", (*int)(nil)) // the stack grows here, not later
			println("at x3", &x)           // stop
			// want: x live value=3 printed=x3
			// want: x shadowed value=two
			// want: err value=nil
		}
		println(x) // stop
		// want: x live value=two printed=x2
		// want: err absent
	}
	for x := x; x < 2; x++ {
		x := x * 10
		println(x) // stop
		// want: x live value=10
		// want: x shadowed value=1
	}
	x = 5
	println(x) // stop
	// want: x live value=5 type=int printed=x1
}
