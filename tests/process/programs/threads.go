// Starts and ends threads by the hundred, without an end.
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
	gate := make(chan bool, 100)
	go func() {
		for {
			gate <- true
			go func() {
				runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
				born.Add(1)
				time.Sleep(time.Millisecond)
				<-gate
			}()
		}
	}()
	fmt.Println("ready")
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		fmt.Println("born", born.Load())
	}
}
