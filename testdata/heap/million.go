// A heap of a given number of objects in the shapes that programs have: lists, trees, maps of both
// sizes, slices, strings, interfaces, closures, and structures that only stacks know.
//
//	million OBJECTS [MEBIBYTES]
//
// MEBIBYTES of plain bytes are added. It prints "ready", and stands until its stdin ends.
package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
)

type node struct {
	next *node
	id   int
	name string
}

type tree struct {
	left, right *tree
	key         string
	value       any
}

type record struct {
	id     int
	fields map[string]string
	tags   []string
	owner  *node
	run    func() int
}

type wide struct {
	slots [80]*node
	count int
}

var (
	list    *node
	root    *tree
	records []*record
	wides   []*wide
	byName  = map[string]*node{}
	byID    = map[int]*record{}
	anys    []any
	plain   [][]byte
	never   = make(chan bool)
)

func number(i, otherwise int) int {
	if len(os.Args) <= i {
		return otherwise
	}
	n, err := strconv.Atoi(os.Args[i])
	if err != nil {
		panic(err)
	}
	return n
}

func insert(t *tree, depth int, i int) *tree {
	if depth == 0 {
		return nil
	}
	return &tree{
		left: insert(nil, depth-1, 2*i), right: insert(nil, depth-1, 2*i+1),
		key: "key " + strconv.Itoa(i), value: i * 1000003,
	}
}

func fill(n int) {
	for i := 0; i < n*3/10; i++ {
		list = &node{next: list, id: i, name: "constant"}
	}
	depth := 1
	for 1<<depth < n/20 {
		depth++
	}
	root = insert(nil, depth, 1)
	for i := 0; i < n/50; i++ {
		r := &record{id: i, tags: []string{"a tag " + strconv.Itoa(i)}, owner: list}
		r.run = func() int { return r.id }
		if i%4 == 0 {
			r.fields = map[string]string{"name": "record " + strconv.Itoa(i)}
		}
		records = append(records, r)
		byID[i] = r
	}
	for i := 0; i < n/12; i++ {
		byName["name "+strconv.Itoa(i)] = &node{id: i}
	}
	for i := 0; i < n/200; i++ {
		w := &wide{}
		w.slots[i%80] = &node{id: i}
		wides = append(wides, w)
	}
	for i := 0; i < n/10; i++ {
		switch i % 3 {
		case 0:
			anys = append(anys, &node{id: i})
		case 1:
			anys = append(anys, "text number "+strconv.Itoa(i))
		default:
			anys = append(anys, [3]int{i, i, i})
		}
	}
}

//go:noinline
func keep(n int, ready chan bool) {
	var own *node
	for i := 0; i < n; i++ {
		own = &node{next: own, id: i}
	}
	ready <- true
	<-never
	runtime.KeepAlive(own)
}

func main() {
	n := number(1, 1_000_000)
	fill(n)
	for i := 0; i < number(2, 0); i++ {
		chunk := make([]byte, 1<<20)
		for at := 0; at < len(chunk); at += 4096 {
			chunk[at] = 1
		}
		plain = append(plain, chunk)
	}
	ready := make(chan bool)
	for i := 0; i < 10; i++ {
		go keep(n/100, ready)
		<-ready
	}
	runtime.GC()
	fmt.Println("ready")
	os.Stdin.Read(make([]byte, 1))
}
