//go:build go1.24

package main

import (
	"runtime"
	"unique"
	"weak"
)

var (
	weakly  []weak.Pointer[node]
	handles []unique.Handle[string]
)

func newerSpecials() {
	for i := 0; i < 5; i++ {
		n := &node{name: "cleaned"}
		bigs[10+i].head = n
		runtime.AddCleanup(n, func(code int) { counter.Add(int64(code)) }, i)
		weakly = append(weakly, weak.Make(n))
		handles = append(handles, unique.Make("unique"+string(rune('a'+i))))
	}
}
