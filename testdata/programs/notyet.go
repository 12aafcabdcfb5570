// A local before its first assignment is not_yet, whatever lies in its memory by then.
package main

type point struct{ X, Y int }

func dirty() int {
	junk := [64]uint64{}
	for i := range junk {
		junk[i] = 0xdeaddeaddeaddead
	}
	return int(junk[9] & 0xf)
}

func work(in int) int {
	before := in + 1
	during := before * 2 // stop
	// want: in live value=13
	// want: before live value=14
	// want: during not_yet why~.+
	// want: text not_yet
	// want: list not_yet
	// want: p not_yet
	// want: ptr not_yet
	// want: late not_yet
	// want: declared not_yet
	text := "text"
	list := []int{during}
	p := point{during, before}
	ptr := &p
	var declared int
	println("half way") // stop
	// want: during live value=28
	// want: text live value=text
	// want: list live value=[28]
	// want: p live value="{X:28 Y:14}"
	// want: ptr live points_to=p
	// want: declared live value=0
	// want: late not_yet
	late := len(text) + len(list) + ptr.X + declared
	return late // stop
	// want: late live value=33
}

func main() {
	seed := dirty()
	result := work(seed)
	println(result) // stop
	// want: seed value=13
	// want: result live value=33
}
