// Lives for the given number of microseconds after it is ready, with some threads, and exits 7.
package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"time"
)

func main() {
	us, err := strconv.Atoi(os.Args[1])
	if err != nil {
		panic(err)
	}
	for i := 0; i < 10; i++ {
		go func() {
			runtime.LockOSThread()
			time.Sleep(time.Hour)
		}()
	}
	time.Sleep(5 * time.Millisecond)
	fmt.Println("ready")
	time.Sleep(time.Duration(us) * time.Microsecond)
	os.Exit(7)
}
