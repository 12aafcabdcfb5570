// Structs: nested, embedded, with blank and empty fields, anonymous, holding each other by pointer.
package main

type point struct{ X, Y int }

type base struct {
	ID   uint16
	Name string
}

type mark struct{}

type whole struct {
	base
	*point
	At     point
	_      int32
	Empty  struct{}
	Tags   []string
	Nested struct {
		Deep struct{ Deeper int8 }
	}
	Any  any
	mark mark
}

type padded struct {
	A bool
	B int64
	C bool
}

func main() {
	p := point{3, 4}
	w := whole{base: base{7, "seven"}, point: &p, At: point{1, 2}, Tags: []string{"x"}, Any: 5}
	w.Nested.Deep.Deeper = -1
	var zero whole
	none := struct{}{}
	anonymous := struct {
		A int
		B string
	}{1, "b"}
	pad := padded{true, 1, true}
	link := &w
	println("settle", (*int)(nil)) // the stack grows here, not later
	println("at w", &w)
	println("at w.At", &w.At)
	println("at w.ID", &w.ID)
	println("stop") // stop
	// want: p live goroutine_stack size=16 value="{X:3 Y:4}" elements=2 type=main.point
	// want: p.Y value=4
	// want: w live goroutine_stack printed=w type=main.whole
	// want: w.base value=`{ID:7 Name:"seven"}`
	// want: w.base.ID value=7 printed=w.ID
	// want: w.base.Name value=seven text=seven data=rodata
	// want: w.point.X value=3
	// want: w.At value="{X:1 Y:2}" printed=w.At
	// want: w.Empty value={}
	// want: w.Tags[0] value=x
	// want: w.Nested.Deep.Deeper value=-1
	// want: w.Any value=5 dynamic_type=int
	// want: zero.point value=nil
	// want: zero.Tags value=nil
	// want: zero.Any value=nil
	// want: none live size=0 value={}
	// want: anonymous value=`{A:1 B:"b"}` size=24
	// want: pad size=24 value="{A:true B:1 C:true}"
	// want: link live size=8 points_to=w data=goroutine_stack
	// want: link.At.Y value=2
	func() { // uses them: a dead variable would keep a stale pointer when the stack moves
		_, _, _, _, _, _, _ = p, w, zero, none, anonymous, pad, link
	}()
}
