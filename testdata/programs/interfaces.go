// Interfaces: empty and not, nil, typed nil, holding every sort of thing, errors among them.
package main

import (
	"errors"
	"fmt"
)

type shape interface{ Area() int }

type square struct{ Side int }
type rect struct {
	W, H int
	Name string
}

func (s square) Area() int { return s.Side * s.Side }
func (r *rect) Area() int  { return r.W * r.H }

type code int

func (c code) Error() string { return fmt.Sprint("code ", int(c)) }

type wrapper struct{ inner error }

func (w *wrapper) Error() string { return "wrapped: " + w.inner.Error() }

var sink, sinkSmall any

func seven() int { return 7 }

func main() {
	var none any
	var noShape shape
	var noErr error
	var nilRect *rect
	var typedNil shape = nilRect
	n := seven()
	var small any = n
	var constant any = 5
	var large any = n * 1000
	var text any = "const text"
	word := fmt.Sprint("made", n)
	var made any = word
	var b any = n > 3
	var s shape = square{n}
	var r shape = &rect{2, 3, "r"}
	var st any = rect{4, 5, "st"}
	var arr any = [2]int{8, 9}
	var sl any = []int{1, 2}
	var f any = 1.5
	var fn any = main
	var m any = map[string]int{"k": 1}
	var inner any = &small
	var err error = errors.New("plain error")
	var num error = code(404)
	var wrapped error = &wrapper{num}
	var empty any = struct{}{}
	println("settle", (*int)(nil)) // the stack grows here, not later
	println("at large", &large)
	println("stop") // stop
	// want: none live goroutine_stack size=16 value=nil no_data
	// want: noShape live size=16 value=nil type=main.shape
	// want: noErr value=nil type=error
	// want: typedNil live size=16 value=*main.rect(nil) dynamic_type=*main.rect
	// want: small value=7 dynamic_type=int data.symbol=runtime.staticuint64s+0x38
	// want: constant value=5 dynamic_type=int data=rodata
	// want: large value=7000 dynamic_type=int data=heap printed=large
	// want: text value=`const text` dynamic_type=string data=rodata
	// want: made value=made7 dynamic_type=string
	// want: b value=true dynamic_type=bool
	// want: s value={Side:7} dynamic_type=main.square
	// want: s.Side value=7
	// want: r dynamic_type=*main.rect
	// want: r.W value=2
	// want: st value=`{W:4 H:5 Name:"st"}` dynamic_type=main.rect
	// want: st.Name value=st
	// want: arr value="[8 9]" dynamic_type=[2]int
	// want: sl value="[1 2]" dynamic_type=[]int
	// want: f value=1.5 dynamic_type=float64
	// want: fn value=main.main dynamic_type=func()
	// want: m value=`map["k":1]` dynamic_type=map[string]int
	// want: inner dynamic_type="*interface {}|*any|*interface{}" data.dynamic_type=int text=7
	// want: err dynamic_type=*errors.errorString data=heap|goroutine_stack
	// want: err.s value=`plain error`
	// want: num value=404 dynamic_type=main.code
	// want: wrapped dynamic_type=*main.wrapper
	// want: wrapped.inner value=404 dynamic_type=main.code
	// want: empty value={} dynamic_type="struct {}"
	sink, sinkSmall = large, small
	func() { // uses them: a dead variable would keep a stale pointer when the stack moves
		_, _, _, _, _, _, _, _ = none, noShape, noErr, typedNil, small, constant, large, text
		_, _, _, _, _, _, _, _ = made, b, s, r, st, arr, sl, f
		_, _, _, _, _, _, _ = fn, m, inner, err, num, wrapped, empty
	}()
}
