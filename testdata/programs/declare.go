// Several declarations on one line, in one statement, over several lines.
package main

func pair() (int, string) { return 7, "seven" }

func slow(n int) int {
	return n + 1 // stop hits=4
	// want: @stop function=main.slow
	// want#1: first frame=main.main not_yet
	// want#1: second frame=main.main not_yet
	// want#2: first frame=main.main not_yet
	// want#3: first frame=main.main live value=2
	// want#3: second frame=main.main live value=3
	// want#3: sum frame=main.main not_yet
	// want#4: sum frame=main.main not_yet
}

func main() {
	a, b := 1, 2
	var c, d = "c", 4.5
	var (
		e int
		f = true
	)
	n, s := pair() // stop
	// want: a live value=1
	// want: b live value=2
	// want: c live value=c
	// want: d live value=4.5
	// want: e live value=0
	// want: f live value=true
	// want: n not_yet
	// want: s not_yet
	a, b = b, a
	first, second := slow(1), slow(2)
	println(n, s, a) // stop
	// want: n live value=7
	// want: s live value=seven
	// want: a live value=2
	// want: b live value=1
	// want: first live value=2
	// want: second live value=3
	sum := slow(
		first,
	) + slow(
		second,
	)
	b, g := 9, 10
	println(sum, g) // stop
	// want: sum live value=7
	// want: b live value=9
	// want: g live value=10
	_, _, _, _, _, _ = a, b, c, d, e, f
}
