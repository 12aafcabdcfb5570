// Sends itself a signal that nothing can catch.
package main

import (
	"fmt"
	"syscall"
)

func main() {
	fmt.Println("before")
	syscall.Kill(syscall.Getpid(), syscall.SIGKILL)
	select {}
}
