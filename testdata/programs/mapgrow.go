// Maps past one group: full, just grown, in the middle of growing, shrunk by deletion, huge.
package main

func fill(n int) map[int]int {
	m := map[int]int{}
	for i := 0; i < n; i++ {
		m[i] = i * i
	}
	return m
}

func thin(m map[int]int, keep int) map[int]int {
	for k := range m {
		if k%keep != 0 {
			delete(m, k)
		}
	}
	return m
}

func main() {
	eight := fill(8)
	nine := fill(9)
	thirteen := fill(13)
	fourteen := fill(14)
	thousand := fill(1000)
	growing := fill(1665) // past 6.5 * 256: the old design is moving its buckets now
	big := fill(5000)
	thinned := thin(fill(100), 25)
	rewritten := fill(20)
	for i := 0; i < 20; i++ {
		delete(rewritten, i)
		rewritten[i+100] = i
	}
	words := map[string]string{}
	for c := 'a'; c <= 'z'; c++ {
		words[string(c)] = string(c - 32)
	}
	println("stop") // stop
	// want: eight live len=8 data=heap value="map[0:0 1:1 2:4 3:9 4:16 5:25 6:36 7:49]"
	// want: nine len=9 data=heap value="map[0:0 1:1 2:4 3:9 4:16 5:25 6:36 7:49 8:64]"
	// want: nine[8] value=64
	// want: thirteen len=13
	// want: thirteen[12] value=144
	// want: fourteen len=14
	// want: fourteen[13] value=169
	// want: thousand len=1000 value~`map\[.*… \d+ more\]`
	// want: growing len=1665
	// want: big len=5000
	// want: thinned len=4 value="map[0:0 25:625 50:2500 75:5625]"
	// want: rewritten len=20
	// want: rewritten[119] value=19
	// want: words len=26
	// want: words["q"] value=Q
	func() { // uses them: a dead variable would keep a stale pointer when the stack moves
		_, _, _, _, _, _, _, _, _ = eight, nine, thirteen, fourteen, thousand, growing, big, thinned, rewritten
		_ = words
	}()
}
