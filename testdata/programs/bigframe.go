// Large frames: arrays of 64 KiB on the stack, and what is too large for it.
package main

type blob [64 << 10]byte

func fill(b *blob, with byte) {
	for i := range b {
		b[i] = with
	}
}

func deep() int {
	var local blob
	fill(&local, 0xab)
	last := &local[len(local)-1]
	println("settle", (*int)(nil)) // the stack grows here, not later
	println("at local", &local)
	return int(*last) // stop
	// want: local live goroutine_stack size=65536 printed=local not_moved
	// want: last points_to=local+65535 text=171
	// want: outer frame=main.main live goroutine_stack size=32768
	// want: marker frame=main.main value=1
}

func main() {
	marker := 1
	var outer [4096]int64
	outer[4095] = -1
	var huge [20 << 20]byte // over 10 MB (128 KB since 1.25): never on the stack
	huge[0] = 1
	println("settle", (*int)(nil)) // the stack grows here, not later
	println("at outer", &outer)
	println("at huge", &huge)
	println(marker) // stop
	// want: outer live goroutine_stack size=32768 printed=outer
	// want: huge live heap moved size=20971520 printed=huge noscan=true
	n := deep()
	println(n, outer[4095], huge[0])
}
