// Pointers: to locals, to pointers, into objects, to globals, unsafe ones, nil ones.
//
// builds: debug pie
package main

import "unsafe"

type node struct {
	Val  int
	Next *node
}

var counter = 41
var sink *node

func main() {
	x := 5
	p := &x
	pp := &p
	ppp := &pp
	var none *int
	var noneNode *node
	toGlobal := &counter
	sink = &node{1, &node{2, nil}}
	list := sink
	interior := &list.Next
	array := [4]int{1, 2, 3, 4}
	third := &array[2]
	up := unsafe.Pointer(p)
	var nilUp unsafe.Pointer
	bits := uintptr(up)
	toString := new(string)
	*toString = "pointed at"
	word := unsafe.Pointer(unsafe.StringData(*toString))
	println("settle", (*int)(nil)) // the stack grows here, not later
	println("at x", &x)
	println("at p", &p)
	println("at list.data", list)
	println("stop") // stop
	// want: x live goroutine_stack value=5 printed=x not_moved
	// want: p live goroutine_stack printed=p points_to=x data=goroutine_stack text=5 type=*int value.printed=x
	// want: pp points_to=p data=goroutine_stack type=**int
	// want: ppp points_to=pp type=***int
	// want: none live value=nil no_data
	// want: noneNode value=nil
	// want: toGlobal data=data data.symbol=main.counter data.section=.noptrdata text=41
	// want: list data=heap data.printed=list.data data.object_size=16 data.allocated=true data.noscan=false
	// want: list.Val value=1
	// want: list.Next.Val value=2
	// want: list.Next.Next value=nil
	// want: interior data=heap shares=list+8
	// want: third points_to=array+16 text=3
	// want: up live size=8 type=unsafe.Pointer value.printed=x
	// want: nilUp value=nil
	// want: bits value.printed=x
	// want: toString data.text=`pointed at`
	// want: word data=rodata
	func() { // uses them: a dead variable would keep a stale pointer when the stack moves
		_, _, _, _, _, _, _, _, _ = x, p, pp, ppp, none, noneNode, toGlobal, list, interior
		_, _, _, _, _, _, _ = array, third, up, nilUp, bits, toString, word
	}()
}
