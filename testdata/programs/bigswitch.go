// A big switch (a jump table), labelled loops, goto, fallthrough.
package main

func name(n int) string {
	out := ""
	switch n {
	case 0:
		out = "zero"
	case 1:
		out = "one"
	case 2:
		out = "two"
	case 3:
		out = "three"
		fallthrough
	case 4:
		out += "four"
	case 5:
		five := n * 5
		out = "five"[:five/7]
		println(five) // stop
		// want: five live value=25
		// want: n live value=5
		// want: six absent
	case 6:
		six := 6
		out = "six"[six-6:]
	case 7, 8, 9, 10, 11, 12:
		out = "many"
	}
	return out
}

func main() {
	words := ""
	i, j := 0, 0
rows:
	for i = 0; i < 4; i++ {
		for j = 0; j < 4; j++ {
			if j > i {
				continue rows
			}
			if i == 2 && j == 1 {
				break rows // stop
				// want: i live value=2
				// want: j live value=1
				// want: words value=zerotwothreefourtwo
			}
			words += name(i + j)
			if i == 1 && j == 1 {
				words += name(3)
			}
			if i+j == 1 {
				words = words[:4]
			}
		}
	}
	tries := 0
again:
	tries++
	if tries < 3 {
		goto again
	}
	name(5)
	println(words, tries) // stop
	// want: tries value=3
	// want: i value=2
}
