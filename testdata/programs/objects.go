// Heap objects of every design: tiny, small with and without pointers, with a header, large.
package main

type tiny struct{ A, B uint16 }

type small struct {
	Next *small
	Val  int
}

type header struct { // over 512 bytes and with pointers: its type stands before it
	Name string
	Refs [100]*small
}

type large struct {
	Refs [5000]*small
	Tail int
}

var (
	tinies  [3]*tiny
	plain   *[5]int64
	links   *small
	headers *header
	bigs    *large
	flat    []byte
	flatBig []byte
	nothing *struct{}
)

func main() {
	for i := range tinies {
		tinies[i] = &tiny{uint16(i), 7}
	}
	plain = &[5]int64{1, 2, 3, 4, 5}
	links = &small{&small{nil, 2}, 1}
	headers = &header{Name: "h"}
	headers.Refs[9] = links
	bigs = &large{Tail: 9}
	bigs.Refs[4999] = links
	n := 600
	flat = make([]byte, n)
	flatBig = make([]byte, n*1000)
	nothing = &struct{}{}
	t1, p, l, h, b := tinies[1], plain, links, headers, bigs
	f, fb, z := flat, flatBig, nothing
	tail := &bigs.Tail
	ref := &headers.Refs[9]
	println("settle", (*int)(nil)) // the stack grows here, not later
	println("at h.data", h)
	println("at b.data", b)
	println("at z.data", z)
	println("stop") // stop
	// want: t1 data=heap data.object_size=16 data.noscan=true data.allocated=true
	// want: t1.B value=7
	// want: p data=heap data.object_size=48 data.noscan=true
	// want: l data=heap data.object_size=16 data.noscan=false
	// want: l.Next.Val value=2
	// want@1.24+: h data=heap data.object_size=896 data.noscan=false data.printed=h.data
	// want@1.21: h data=heap data.object_size=896 data.noscan=false data.printed=h.data
	// want: h.Name value=h
	// want: h.Refs[9].Val value=1
	// want: b data=heap data.object_size=40960 data.noscan=false data.printed=b.data
	// want: b.Tail value=9
	// want: f data=heap len=600 data.object_size=640 data.noscan=true
	// want: fb data=heap len=600000 data.object_size=606208 data.noscan=true
	// want: z data.symbol=runtime.zerobase data.printed=z.data
	// want: tail data=heap shares=b+40000 data.object_size=40960
	// want: ref data=heap shares=h+88 data.object_size=896
	func() { // uses them: a dead variable would keep a stale pointer when the stack moves
		_, _, _, _, _, _, _, _, _, _ = t1, p, l, h, b, f, fb, z, tail, ref
	}()
}
