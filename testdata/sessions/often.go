// Many calls on many goroutines, whose stacks grow and which are preempted: tests/script/test_often.py
package main

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"sync"
)

type box struct {
	Name string
	Tags []string
	Next *box
	Size int8
	Part float32
}

//go:noinline
func deep(n int) int {
	var pad [64]int
	pad[n%64] = n
	if n == 0 {
		return pad[0]
	}
	return deep(n-1) + pad[n%64]
}

//go:noinline
func work(id, n int, b *box, label string, on bool) int {
	if n%100 == 0 {
		return deep(n % 700)
	}
	return len(b.Name) + len(label)
}

//go:noinline
func leaf(n int) int { return n + 1 }

func main() {
	calls, _ := strconv.Atoi(os.Args[1])
	runtime.GOMAXPROCS(4)
	var wait sync.WaitGroup
	for id := 0; id < 4; id++ {
		wait.Add(1)
		go func(id int) {
			defer wait.Done()
			b := &box{Name: "box" + strconv.Itoa(id), Tags: []string{"a", "b"}}
			for n := 0; n < calls; n++ {
				b.Next = &box{Name: strconv.Itoa(n % 7), Size: int8(n % 100), Part: float32(n%100) / 10}
				work(id, n, b, "label"+strconv.Itoa(n%5), n%2 == 0)
				leaf(n)
			}
		}(id)
	}
	wait.Wait()
	out, err := exec.Command("/bin/echo", "child").Output()
	fmt.Printf("done %s%v\n", out, err)
	os.Exit(7)
}
