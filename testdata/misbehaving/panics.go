// Panics in another goroutine, exit code 2.
package main

import "fmt"

func main() {
	fmt.Println("before")
	go func() { panic("from a goroutine") }()
	select {}
}
