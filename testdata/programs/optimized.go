// What is left of variables when the optimiser is on, as users ship their programs.
//
// builds: opt
package main

import (
	"fmt"
	"os"
	"strings"
)

// stop at fmt.Println hits=2
// want[opt]: @stop function=fmt.Println frames=fmt.Println,main.main inlined=fmt.Println goroutine=main
// want[opt]#1: msg frame=main.main data=rodata text=`Hello, Go!` value=`Hello, Go!` len=10 why~.*argument
// want[opt]#1: moved not_yet
// want[opt]#1: text not_yet
// want[opt]#1: n not_yet
// want[opt]#2: moved heap moved live value="{X:1 Y:2}"

// stop at main.take
// want[opt]: n register value=1 register=rax
// want[opt]: s register value=abababab register="rbx rcx" data=heap
// want[opt]: list register value="[1 2 3 4]" register="rdi rsi r8" data=goroutine_stack len=4 cap=4
// want[opt]: p register value="{X:1 Y:2}" register="r9 r10"
// want[opt]: f register value=2.5 register=xmm0
// want[opt]: moved frame=main.main live heap moved
// want[opt]: text frame=main.main value=abababab data=heap why~.*argument
// want@1.27+[opt]: array frame=main.main live goroutine_stack value="[1 2 3 4]"

// stop at main.small hits=3
// want[opt]: @stop function=main.small inlined=main.small frames=main.small,main.outer,main.main

// stop at main.spill
// want[opt]: n register value=8
// want[opt]: sum frame=main.outer value=8

// stop at main.keep hits=2
// want[opt]: p register data=heap
// want[opt]#1: p.X value=1
// want[opt]#2: p.X value=16
// want[opt]#2: n frame=main.spill live goroutine_stack value=8

type point struct{ X, Y int }

var sink *point

//go:noinline
func take(n int, s string, list []int, p point, f float64) int {
	total := n + len(s) + len(list) + p.X + p.Y + int(f)
	return total
}

//go:noinline
func keep(p *point) { sink = p }

//go:noinline
func spill(n int) int {
	doubled := n * 2
	keep(&point{doubled, n})
	return doubled + len(os.Args)
}

func small(n int) int { return n*n + 1 } // inlined

//go:noinline
func outer(k int) int {
	sum := 0
	for i := 0; i < k; i++ {
		sum += small(i)
	}
	return sum + spill(sum)
}

func main() {
	msg := "Hello, Go!"
	fmt.Println(msg)
	moved := point{1, 2}
	keep(&moved)
	array := [4]int{1, 2, 3, 4}
	text := strings.Repeat("ab", 4)
	n := take(len(os.Args), text, array[:], moved, 2.5)
	fmt.Println(n + outer(3))
}
