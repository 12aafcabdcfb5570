// Starts and ends threads by the hundred, without an end; with an argument it starts one after the
// other, thousands, and all of them stay.
package main

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"sync/atomic"
	"time"
)

var born atomic.Int64

func main() {
	gate, lives, pause := make(chan bool, 100), time.Millisecond, time.Duration(0)
	if len(os.Args) > 1 {
		gate, lives, pause = make(chan bool, 6000), time.Hour, time.Millisecond
	}
	go func() {
		for n := 0; ; n++ {
			gate <- true
			if n%4 == 0 {
				time.Sleep(pause)
			}
			go func() {
				runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
				born.Add(1)
				time.Sleep(lives)
				<-gate
			}()
		}
	}()
	fmt.Println("ready")
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		fmt.Println("born", born.Load())
	}
}
