// Never ends and never prints: one goroutine computes, the first sleeps an hour at a time.
package main

import "time"

func unreached() { println("never") }

func main() {
	go func() {
		for i := 0; ; i++ {
			if i < 0 {
				unreached()
			}
		}
	}()
	for {
		time.Sleep(time.Hour)
	}
}
