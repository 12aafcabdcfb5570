// Goroutines that start in functions of the runtime and yet run the user's code, beside the
// runtime's own: timers' functions, coroutines of iter.Pull, and a finalizer or a cleanup, as the
// argument says.
package main

import (
	"fmt"
	"os"
	"runtime"
	"time"
)

var (
	held     = make(chan int)
	stands   = make(chan string, 16)
	more     []func()
	expected = 2
	late     = map[string]func(){"finalizer": finalized}
)

//go:noinline
func stand(what string) {
	stands <- what
	<-held
}

//go:noinline
func finalized() {
	x := new([4]int)
	runtime.SetFinalizer(x, func(*[4]int) { stand("finalizer") })
}

func main() {
	time.AfterFunc(time.Millisecond, func() { stand("timer") })
	late[os.Args[1]]()
	for _, do := range more {
		do()
	}
	for i := 0; i < 200 && len(stands) < expected; i++ {
		runtime.GC()
		time.Sleep(5 * time.Millisecond)
	}
	buf := make([]byte, 1<<20)
	fmt.Printf("stacks %q\n", buf[:runtime.Stack(buf, true)])
	fmt.Println("stand", len(stands), "of", expected)
	fmt.Println("ready")
	fmt.Scanln()
}
