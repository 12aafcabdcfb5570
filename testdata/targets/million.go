// A program with a heap of a given size that stands still.
//
//	million [OBJECTS]
//
// It holds about OBJECTS live heap objects (default 1,000,000), never fewer: nodes linked into lists
// and trees, strings, slices, map entries, interfaces; every tenth object that it made was garbage
// and went with the collection that it runs last. It prints `objects N` and `bytes N`, its own
// MemStats after that collection, "ready", and stands still until its stdin closes, collecting
// nothing any more.
package main

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
)

type node struct {
	next *node
	val  int
}

type tree struct {
	left, right *tree
	name        string
	any         any
}

type record struct {
	id    int
	tags  []string
	bytes []byte
	owner *tree
}

var (
	lists   []*node
	root    *tree
	records []*record
	index   = map[string]*record{}
)

func grow(depth, seed int) *tree {
	if depth == 0 {
		return nil
	}
	t := &tree{name: strconv.Itoa(seed) + " of a tree"}
	if seed%3 == 0 {
		t.any = seed + 1000
	}
	t.left, t.right = grow(depth-1, seed*2), grow(depth-1, seed*2+1)
	return t
}

// fill makes 90 to 96 objects that stay in each round.
func fill(objects int) {
	root = grow(10, 1)
	for round := 0; round < objects/90; round++ {
		var list *node
		for i := 0; i < 50; i++ {
			list = &node{list, i}
		}
		lists = append(lists, list)
		for i := 0; i < 8; i++ {
			r := &record{id: round*8 + i, bytes: make([]byte, 10+round%200), owner: root}
			r.tags = []string{"tag " + strconv.Itoa(i), strconv.Itoa(round) + " round"}
			records = append(records, r)
			index["record "+strconv.Itoa(r.id)] = r
		}
		for i := 0; i < 10; i++ {
			root.any = &node{list, i} // garbage, all but the last
		}
	}
}

func main() {
	objects := 1_000_000
	if len(os.Args) > 1 {
		n, err := strconv.Atoi(os.Args[1])
		if err != nil {
			panic(err)
		}
		objects = n
	}
	fill(objects)
	debug.SetGCPercent(-1)
	runtime.GC()
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	fmt.Printf("objects %d\nbytes %d\npid %d\nready\n", stats.HeapObjects, stats.HeapAlloc, os.Getpid())
	io.Copy(io.Discard, os.Stdin)
	runtime.KeepAlive(lists)
}
