// Becomes itself again and again by execve, each time from another thread than the first one.
// The argument: how many times.
package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"syscall"
	"time"
)

func main() {
	left, err := strconv.Atoi(os.Args[1])
	if err != nil {
		panic(err)
	}
	if len(os.Args) == 2 {
		fmt.Println("ready")
		os.Args = append(os.Args, "")
	}
	for i := 0; i < 20; i++ {
		go func() {
			runtime.LockOSThread()
			time.Sleep(time.Hour)
		}()
	}
	time.Sleep(5 * time.Millisecond)
	if left == 0 {
		fmt.Println("done")
		time.Sleep(time.Hour)
	}
	runtime.LockOSThread()
	go func() {
		runtime.LockOSThread()
		panic(syscall.Exec("/proc/self/exe", []string{"again", strconv.Itoa(left - 1), "more"}, os.Environ()))
	}()
	select {}
}
