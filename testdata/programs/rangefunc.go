// Ranging over functions: the loop's body becomes a closure of its own.
//
// go: 1.23+
package main

import (
	"iter"
	"slices"
)

func count(n int) iter.Seq[int] {
	return func(yield func(int) bool) {
		for i := 0; i < n; i++ {
			if !yield(i * 10) { // stop hits=3
				// want#1: i live value=0
				// want#2: i live value=1
				// want#1-2: n live value=5
				// want#3: n live value=1
				return
			}
		}
	}
}

func main() {
	total := 0
	for v := range count(5) {
		if v > 0 {
			break
		}
		total += v + 1
		println(v) // stop
		// want: @stop function=main.main-range1 frames=main.main-range1,main.main.count.func1,main.main|main.main-range1,main.count.func1,main.main
		// want: v live value=0
		// want: total live value=1
	}
	sorted := slices.Sorted(slices.Values([]int{3, 1, 2}))
	next, stop := iter.Pull(count(1))
	pulled, ok := next()
	stop()
	println(total) // stop
	// want: total value=1
	// want: sorted value="[1 2 3]"
	// want: pulled value=0
	// want: ok value=true
	_, _, _ = sorted, pulled, ok
}
