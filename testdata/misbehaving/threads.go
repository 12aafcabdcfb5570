// Ends a thread each time a goroutine that locked one returns: two hundred of them.
package main

import (
	"fmt"
	"runtime"
	"sync"
)

func main() {
	var all sync.WaitGroup
	for i := 0; i < 200; i++ {
		all.Add(1)
		go func() {
			defer all.Done()
			runtime.LockOSThread()
		}()
		if i%20 == 0 {
			all.Wait()
		}
	}
	all.Wait()
	fmt.Println("done")
}
