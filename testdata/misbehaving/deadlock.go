// All goroutines are asleep: a fatal error, exit code 2.
package main

import "fmt"

func main() {
	c := make(chan int)
	fmt.Println("before")
	<-c
}
