// Objects kept by roots of every kind. For each the program prints the object's address, the name of
// the root and the address of what is called so.
package main

import (
	"fmt"
	"os"
	"runtime"
	"unsafe"
)

type store struct {
	name     string
	sessions map[string]*session
	last     *session
}

type session struct {
	id   int
	next *session
}

var (
	sessions  = &store{name: "static"} // the variable leads to a static object
	direct    *session
	list      []*session
	static    = []*session{nil, nil}
	never     = make(chan bool)
	finalized *session
)

//go:noinline
func escape[T any](p *T) *T { sunk = p; sunk = nil; return p }

var sunk any

func say(object, root unsafe.Pointer, name string) {
	fmt.Printf("kept %#x %#x %s\n", uintptr(object), uintptr(root), name)
}

//go:noinline
func byVariable(ready chan bool) {
	held := escape(&session{id: 1})
	for i := 0; i < 2; i++ { // the first time the stack may grow, and move
		at := uintptr(unsafe.Pointer(&held))
		say(unsafe.Pointer(held), unsafe.Pointer(at), "main.byVariable: held")
	}
	ready <- true
	<-never
	runtime.KeepAlive(held)
}

//go:noinline
func give(n int) *session { return escape(&session{id: n}) }

//go:noinline
func take(s *session, ready chan bool) int {
	ready <- true
	<-never
	return s.id
}

func main() {
	sessions.last = give(1)
	say(unsafe.Pointer(sessions.last), unsafe.Pointer(sessions), "*main.sessions")
	direct = give(2)
	say(unsafe.Pointer(direct), unsafe.Pointer(&direct), "main.direct")
	list = make([]*session, 100)
	list[7] = give(3)
	say(unsafe.Pointer(list[7]), unsafe.Pointer(&list), "main.list")
	static[1] = give(4)
	say(unsafe.Pointer(static[1]), unsafe.Pointer(&static[1]), "main.static[1]")
	ready := make(chan bool)
	go byVariable(ready)
	<-ready
	for i := 0; i < 3; i++ {
		go take(give(i), ready)
		<-ready
	}
	finalized = &session{next: give(9)}
	fmt.Printf("final %p %p\n", finalized.next, finalized)
	runtime.SetFinalizer(finalized, func(*session) {})
	finalized = nil
	for i, s := 0, (*session)(nil); i < 50; i++ {
		direct.next, s = &session{next: s}, direct.next
	}
	fmt.Println("ready")
	os.Stdin.Read(make([]byte, 1))
}
