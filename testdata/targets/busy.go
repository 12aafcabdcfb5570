// A program that works hard and knows what its result must be.
//
//	busy WORKERS ROUNDS
//
// WORKERS goroutines each do ROUNDS rounds of allocating: trees, maps, slices that grow, strings,
// channels between them, deep recursion that moves stacks; each round is checked at once. It prints
// "ready" before the first round; when all are done and its stdin is closed, `sum N`, which depends
// on WORKERS and ROUNDS only, or `wrong` with what it found. `count N` (rounds done) answers each
// line on stdin meanwhile.
package main

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
)

type tree struct {
	left, right *tree
	key         uint64
	note        string
}

func (t *tree) insert(key uint64) *tree {
	if t == nil {
		return &tree{key: key, note: strconv.FormatUint(key, 36)}
	}
	if key < t.key {
		t.left = t.left.insert(key)
	} else {
		t.right = t.right.insert(key)
	}
	return t
}

func (t *tree) sum() uint64 {
	if t == nil {
		return 0
	}
	if t.note != strconv.FormatUint(t.key, 36) {
		panic("a note changed")
	}
	return t.left.sum() + t.key + t.right.sum()
}

var done atomic.Int64

func next(x uint64) uint64 { // xorshift
	x ^= x << 13
	x ^= x >> 7
	return x ^ x<<17
}

func dig(n int, x uint64) uint64 {
	var room [16]uint64
	room[n%16] = x
	if n == 0 {
		return room[0]
	}
	return dig(n-1, x) + room[n%16] - x
}

func round(seed uint64) uint64 {
	var root *tree
	index := map[uint64]*tree{}
	var list []uint64
	var text strings.Builder
	want, x := uint64(0), seed
	for i := 0; i < 100; i++ {
		x = next(x)
		root = root.insert(x)
		index[x] = root
		list = append(list, x)
		text.WriteString(strconv.FormatUint(x, 36))
		want += x
	}
	pipe := make(chan uint64, 4)
	go func() {
		for _, v := range list {
			pipe <- v
		}
		close(pipe)
	}()
	got := uint64(0)
	for v := range pipe {
		got += v
		if index[v] != root {
			panic("an entry changed")
		}
	}
	if got != want || root.sum() != want || dig(100, x) != x {
		panic(fmt.Sprintf("sum %d, not %d", got, want))
	}
	return want ^ uint64(text.Len())
}

func work(id, rounds int) (sum uint64) {
	seed := uint64(id)*0x9e3779b97f4a7c15 + 1
	for i := 0; i < rounds; i++ {
		seed = next(seed)
		sum += round(seed)
		done.Add(1)
	}
	return sum
}

func number(i int) int {
	n, err := strconv.Atoi(os.Args[i])
	if err != nil {
		panic(err)
	}
	return n
}

func main() {
	workers, rounds := number(1), number(2)
	fmt.Printf("pid %d\nready\n", os.Getpid())
	closed := make(chan bool)
	go func() {
		for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
			fmt.Printf("count %d\n", done.Load())
		}
		close(closed)
	}()
	sums := make([]uint64, workers)
	var all sync.WaitGroup
	for id := range sums {
		all.Add(1)
		go func(id int) {
			defer all.Done()
			defer func() {
				if r := recover(); r != nil {
					fmt.Println("wrong", r)
					os.Exit(1)
				}
			}()
			sums[id] = work(id, rounds)
		}(id)
	}
	all.Wait()
	total := uint64(0)
	for _, sum := range sums {
		total += sum
	}
	<-closed
	fmt.Println("sum", total)
}
