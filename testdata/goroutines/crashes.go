// Ends as its argument says, and leaves a core where the kernel writes such.
package main

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"
	"unsafe"
)

type node struct{ next *node }

type coded struct{ code int }

func (c coded) Error() string { return fmt.Sprintf("code %d", c.code) }

type plain struct{ a, b int }

//go:noinline
func follow(n *node) *node { return n.next.next }

//go:noinline
func at(list []int, i int) int { return list[i] }

func work(how string) {
	switch how {
	case "nil":
		follow(&node{})
	case "far":
		fmt.Println(*(*int)(unsafe.Pointer(uintptr(0xdead0000))))
	case "index":
		at([]int{1, 2, 3}, 5)
	case "text":
		panic("on purpose")
	case "error":
		panic(errors.New("no such order"))
	case "coded":
		panic(coded{7})
	case "number":
		panic(42)
	case "truth":
		panic(true)
	case "struct":
		panic(plain{1, 2})
	case "twice":
		defer func() { panic("second") }()
		panic("first")
	case "recovered":
		func() {
			defer func() { recover() }()
			panic("over")
		}()
		panic("this one")
	case "assertion":
		var any interface{} = 1
		fmt.Println(any.(string))
	case "maps":
		m := map[int]int{}
		go func() {
			for {
				m[1]++
			}
		}()
		for {
			m[2]++
		}
	case "unlock":
		new(sync.Mutex).Unlock()
	case "deadlock":
		select {}
	case "otherwise":
		defer func() {
			syscall.Kill(os.Getpid(), syscall.SIGABRT)
			time.Sleep(time.Hour)
		}()
		panic("not what it ends by")
	case "killed":
		syscall.Kill(os.Getpid(), syscall.SIGABRT)
		time.Sleep(time.Hour)
	}
}

func main() {
	fmt.Println("ready")
	if how := os.Args[1]; how == "deadlock" {
		work(how)
	} else {
		go work(how)
		time.Sleep(time.Hour)
	}
}
