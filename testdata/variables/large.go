// Parameters and results of more than 64 KiB, which lie in the frame.
package main

type huge struct {
	a    [1 << 14]int64
	tail string
}

//go:noinline
func stop(n int) {}

//go:noinline
func frame(h huge, m [300][100]int32) (out [3]huge) {
	h.a[16383] = 1234
	m[299][99] = -1
	out[2].tail = "out2"
	out[1].a[7] = 8
	stop(1)
	return
}

func main() {
	h := huge{tail: "tail"}
	println(frame(h, [300][100]int32{})[2].tail)
}
