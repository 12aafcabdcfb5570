// A program that knows what of its heap is wasted, by variable.
package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"time"
	"unsafe"
)

type rec struct {
	a bool
	b int64
	c bool
	d int64
	e bool
}

// Goes on behind what its type says, as the runtime's own tables do: nobody can tell how far.
type table struct {
	count int
	more  [40]int
}

type page struct {
	body  []byte
	title string
}

var (
	headers [][]byte
	texts   []string
	spare   [][]int64
	words   []string
	recs    []*rec
	emptied = map[int64][64]byte{}
	whole   [][]byte

	blocks   [][]byte
	boxes    []any
	nothing  []map[string]string
	unfilled [][]int32
	quiet    []chan [100]int64
	pool     = sync.Pool{New: func() any { return new(bytes.Buffer) }}
	points   []*[2]int32
	pages    []*page
	keys     = map[string]int{} // of strings of 20 bytes in slots of 32
	grown    = (*table)(unsafe.Pointer(unsafe.SliceData(make([]int, 1000))))
)

type zeros struct{ ready chan bool }

func (z zeros) Read(b []byte) (int, error) {
	select {
	case z.ready <- true:
	default:
	}
	return len(b), nil
}

// All of its buffer is in use, and its length, a constant, stands nowhere.
//
//go:noinline
func local(r io.Reader) {
	buf := make([]byte, 1<<20)
	for i := range buf {
		buf[i] = byte(i)
	}
	n := 0
	for {
		k, _ := r.Read(buf)
		n += k
		time.Sleep(50 * time.Millisecond)
		if n < 0 {
			fmt.Println(buf[n&1000])
		}
	}
}

func main() {
	debug.SetGCPercent(-1) // a collection would empty the pool
	for i := 0; i < 100; i++ {
		big := make([]byte, 64<<10)
		big[i] = 1
		headers = append(headers, big[:16])
		s := strings.Repeat("y", 8192) + fmt.Sprint(i)
		texts = append(texts, s[100:132])
		spare = append(spare, make([]int64, 600, 1024))
		words = append(words, strings.Repeat("dup", 500))
		w := make([]byte, 5000)
		w[0] = byte(i)
		whole = append(whole, w)
		b := make([]byte, 3000)
		copy(b, "the same block")
		blocks = append(blocks, b)
		nothing = append(nothing, make(map[string]string))
		unfilled = append(unfilled, make([]int32, 0, 64))
		quiet = append(quiet, make(chan [100]int64, 10))
		pages = append(pages, &page{body: make([]byte, 8, 4096)})
	}
	for i := 0; i < 10000; i++ {
		recs = append(recs, &rec{})
		boxes = append(boxes, int64(1000+i%10))
	}
	for i := 0; i < 20000; i++ {
		points = append(points, &[2]int32{int32(i), 1})
	}
	for i := int64(0); i < 60000; i++ { // more tables than a directory without a type's header has
		emptied[i] = [64]byte{}
	}
	for i := int64(0); i < 59990; i++ {
		delete(emptied, i)
	}
	for i := 0; i < 1000; i++ {
		keys[fmt.Sprintf("%032d", i)[12:]] = i
	}
	for i := 0; i < 20; i++ {
		b := new(bytes.Buffer)
		b.Grow(100 << 10)
		pool.Put(b)
	}
	ready := make(chan bool)
	go local(zeros{ready})
	<-ready
	alias := headers // in a frame: the variable holds them all the same
	fmt.Println("ready")
	os.Stdin.Read(make([]byte, 1))
	runtime.KeepAlive(alias)
}
