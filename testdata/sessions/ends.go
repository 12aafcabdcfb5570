package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
)

func try(f func()) {
	defer func() { recover() }()
	f()
}

func main() {
	line, _ := bufio.NewReader(os.Stdin).ReadString('\n')
	dir, _ := os.Getwd()
	fmt.Println(os.Getenv("MODE"), dir, line)
	try(func() { panic("a text") })
	try(func() { panic(errors.New("an error")) })
	try(func() { panic(fmt.Errorf("wrapped: %w", os.ErrClosed)) })
	try(func() { var m map[int]int; m[1] = 2 })
	try(func() { s := []int{1}; i := 5; fmt.Println(s[i]) })
	try(func() { var p *int; *p = 1 })
	try(func() { panic(42) })
	ch := make(chan int)
	<-ch
}
