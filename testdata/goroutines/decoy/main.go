// Words of a program's own that look like the runtime's list of all goroutines, and longer.
package main

import (
	"fmt"
	"runtime"
	"time"
)

// itself is the address of the g that runs it.
func itself() uintptr

const some = 20

// list leads to goroutines, as far as one looks at its first; its numbers are no length of it.
var list struct {
	first          *uintptr
	length, room   int
	behind, amount int
}

func main() {
	found := make([]uintptr, 512)
	told := make(chan uintptr)
	for i := 0; i < some; i++ {
		go func() {
			told <- itself()
			time.Sleep(time.Hour)
		}()
	}
	for i := 0; i < some; i++ {
		found[i+8] = <-told
	}
	list.first = &found[8]
	list.length, list.room = 1<<23, 1<<23+2
	fmt.Println("goroutines", runtime.NumGoroutine())
	fmt.Println("ready")
	time.Sleep(time.Hour)
	fmt.Println(list)
}
