package main

import (
	"arena"
	"fmt"
	"runtime"
	"time"
)

type node struct {
	v    int
	next *node
	s    []string
}

var keep, dangling *node
var used, freed *arena.Arena

func fill(ar *arena.Arena, n int) *node {
	var prev *node
	for i := 0; i < n; i++ {
		x := arena.New[node](ar)
		x.v, x.next, x.s = i, prev, arena.MakeSlice[string](ar, 2, 2)
		prev = x
	}
	return prev
}

func main() {
	used, freed = arena.NewArena(), arena.NewArena()
	keep = fill(used, 300000)
	dangling = fill(freed, 300000)
	freed.Free()
	runtime.GC()
	fmt.Println("ready")
	time.Sleep(time.Hour)
	fmt.Println(keep, dangling)
}
