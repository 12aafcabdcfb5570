// Goroutines that stand wherever the runtime itself points into stacks: channel operations and
// selects with values in frames, http requests, defers in loops, panics under way. Nothing dangles,
// but for what "bad" as an argument makes.
package main

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync"
	"time"
	"unsafe"
)

type value struct {
	a, b *int
	rest [4]int
}

var (
	never = make(chan struct{})
	out   = make(chan value)
	in    = make(chan value)
	bad   = new([8]unsafe.Pointer)
	mu    sync.Mutex
)

func deep(n int, f func()) {
	var frame [100]byte
	if n > 0 {
		deep(n-1, f)
	} else {
		f()
	}
	_ = frame
}

func receive() {
	v := <-in
	fmt.Println(v.a)
}

func send() {
	x := 1
	out <- value{a: &x}
}

func choose() {
	var v value
	select {
	case v = <-in:
	case out <- v:
	case <-never:
	}
	fmt.Println(v.a)
}

func defers() {
	x := 0
	defer func() { x++ }()
	for i := 0; i < 5; i++ {
		defer func() { x += i }()
	}
	if x == 0 {
		defer func() { x-- }()
	}
	<-never
}

func panics() {
	defer func() { recover() }()
	defer func() {
		defer func() { <-never }()
		panic(2)
	}()
	panic(1)
}

func dangle() {
	var on [4]int
	for i := 0; i < 2; i++ { // the first time the stack may grow
		at := uintptr(unsafe.Pointer(&on)) // a number: this is what the compiler cannot see
		*(*uintptr)(unsafe.Pointer(&bad[3])) = at
		fmt.Printf("bad %p %#x\n", &bad[3], at)
	}
	<-never
	fmt.Println(on)
}

func main() {
	n := 20
	if len(os.Args) > 1 {
		n, _ = strconv.Atoi(os.Args[1])
	}
	mu.Lock()
	for i := 0; i < n; i++ {
		depth := i % 30
		for _, f := range []func(){receive, send, choose, defers, panics} {
			go deep(depth, f)
		}
		go func() { mu.Lock() }()
		go time.Sleep(time.Hour)
	}
	if len(os.Args) > 2 {
		go dangle()
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	arrived := make(chan bool)
	go http.Serve(l, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		arrived <- true
		<-never
	}))
	go http.Get("http://" + l.Addr().String())
	<-arrived
	time.Sleep(50 * time.Millisecond)
	fmt.Println("ready")
	os.Stdin.Read(make([]byte, 1))
}
