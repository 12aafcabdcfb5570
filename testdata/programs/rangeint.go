// Ranging over an integer, and a loop variable that is new in every iteration (both Go 1.22).
//
// go: 1.22+
package main

var keep []*int

func main() {
	sum := 0
	for i := range 3 {
		sum += i
		println(sum) // stop hits=3
		// want#1: i live value=0
		// want#3: i live value=2
		// want#3: sum value=3
	}
	for i := 0; i < 2; i++ {
		keep = append(keep, &i)
		println("at i", &i) // stop hits=2
		// want: i live heap moved object_size=16 printed=i moves
		// want#2: i value=1
	}
	first, second := *keep[0], *keep[1]
	println(first, second) // stop
	// want: first value=0
	// want: second value=1
}
