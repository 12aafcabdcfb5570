// Stops at functions, of one's own and of the library, rather than at lines.
package main

import (
	"fmt"
	"strings"
)

// stop at main.main
// want: @stop function=main.main goroutine=main frames=main.main
// want: msg not_yet
// want: n not_yet

// stop at main.greet
// want: @stop function=main.greet
// want: name value=you data=rodata text=you
// want: times value=2
// want: out not_yet
// want: msg frame=main.main live value=`Hello, Go!` data=rodata
// want: n frame=main.main live value=2
// want: greeting frame=main.main not_yet

// stop at fmt.Println
// want: @stop function=fmt.Println frames=fmt.Println,main.main
// want: msg frame=main.main live goroutine_stack size=16 data=rodata text="Hello, Go!" len=10
// want: greeting frame=main.main live value=`hi you hi you ` data=heap

// stop at main.(*box).Set
// want: @stop function=main.(*box).Set
// want: v value=5

// stop at strings.Repeat
// want: @stop function=strings.Repeat frames=strings.Repeat,main.greet,main.main
// want: name frame=main.greet live value=you
// want: out frame=main.greet not_yet

type box struct{ v int }

func (b *box) Set(v int) { b.v = v }

func greet(name string, times int) string {
	out := strings.Repeat("hi "+name+" ", times)
	return out
}

func main() {
	msg := "Hello, Go!"
	n := 2
	greeting := greet("you", n)
	fmt.Println(msg, greeting)
	b := &box{}
	b.Set(5)
}
