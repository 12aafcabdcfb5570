package main

import "fmt"

func main() {
	msg := "Hello, Go!"
	fmt.Println(msg)
}
