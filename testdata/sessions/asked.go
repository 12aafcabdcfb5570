package main

import (
	"errors"
	"os"
	"os/exec"
	"runtime"
)

type Session struct {
	ID   int
	Next *Session
}

var first *Session
var counter int

//go:noinline
func open(id int) (*Session, error) {
	if id == 3 {
		return nil, errors.New("too many")
	}
	first = &Session{id, first}
	return first, nil
}

//go:noinline
func count(by int, half float64) (sum int, part float64, text string) {
	counter += by
	return counter, half / 2, "sum"
}

func main() {
	for id := 0; id < 4; id++ {
		open(id)
	}
	for by := 1; by < 4; by++ {
		count(by, float64(by))
	}
	done := make(chan bool)
	go func() { done <- true }()
	<-done
	for runtime.NumGoroutine() > 1 { // it ends before anything else is begun
		runtime.Gosched()
	}
	if len(os.Args) > 1 {
		exec.Command(os.Args[1]).Run()
	}
	os.Exit(7)
}
