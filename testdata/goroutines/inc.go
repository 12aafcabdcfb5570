// Goroutines in C, and in Go that C has called: who waits on what is told by main's output.
package main

/*
#include <unistd.h>
extern void back(int);
static inline void stand(void) { for (;;) pause(); }
static inline void through(int n) { back(n); }
*/
import "C"

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"time"
)

var (
	known = make(chan int)
	lost  = make(chan chan int, 1)
)

//export back
func back(n C.int) {
	wanted := known
	if n == 2 {
		wanted = <-lost
	}
	<-wanted
	runtime.KeepAlive(n)
}

//go:noinline
func inC(number int) {
	C.stand()
	fmt.Println(number)
}

//go:noinline
func calledBack(number int) {
	C.through(C.int(number))
	fmt.Println(number)
}

func main() {
	lost <- make(chan int)
	go inC(41)
	go calledBack(1)
	go calledBack(2)
	time.Sleep(300 * time.Millisecond)
	fmt.Println("ready")
	io.Copy(io.Discard, os.Stdin)
	known <- 1
}
