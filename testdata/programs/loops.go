// Loops: a variable of the body is new, and not yet assigned, in every iteration.
package main

func main() {
	total := 0
	for i := 0; i < 3; i++ {
		square := i * i // stop hits=3
		// want#1: i live value=0
		// want#3: i live value=2
		// want: square not_yet
		// want: rest not_yet
		total += square // stop hits=3
		// want#1: square live value=0
		// want#2: square live value=1
		// want#3: square live value=4
		// want#2: total live value=0
		// want#3: total live value=1
		// want: rest not_yet
		rest := total
		_ = rest
	}
	words := []string{"a", "bb"}
	for n, word := range words {
		println(word, n) // stop hits=2
		// want#1: n live value=0
		// want#1: word live value=a
		// want#2: n live value=1
		// want#2: word live value=bb
		// want: total value=5
		// want: square absent
		// want: i absent
	}
	for c := range "hé" {
		println(c) // stop hits=2
		// want#1: c value=0
		// want#2: c value=1
	}
	var k int
	for k < 2 {
		k++
		println(k) // stop hits=2
		// want#1: k value=1
		// want#2: k value=2
		// want: n absent
	}
	println("end") // stop
	// want: total value=5
	// want: k value=2
	// want: c absent
	// want: word absent
}
