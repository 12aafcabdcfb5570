// Variables of if, switch and for statements live in their scope and nowhere else.
package main

func half(n int) (int, bool) { return n / 2, n%2 == 0 }

func main() {
	for n := 5; n < 7; n++ {
		if h, even := half(n); even {
			println(h) // stop
			// want: h live value=3
			// want: even live value=true
			// want: n live value=6
		} else if odd := n; odd > 0 {
			println(odd) // stop
			// want: odd live value=5
			// want: h live value=2
			// want: even live value=false
		}
	}
	switch k := len("four"); {
	case k > 3:
		inside := k * 2
		println(inside) // stop
		// want: k live value=4
		// want: inside live value=8
		// want: n absent
		// want: h absent
		// want: other absent
	default:
		other := 1
		println(other)
	}
	{
		inner := 1
		println(inner) // stop
		// want: inner live value=1
		// want: k absent
	}
	done := true
	println(done) // stop
	// want: done live value=true
	// want: inner absent
}
