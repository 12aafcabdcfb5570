// Named types show their values as their underlying types do, and their names as types.
package main

import (
	"os"
	"time"
)

type celsius float64
type color uint8
type label string
type flags []bool
type table map[string]celsius
type handler func(color) label
type ref *color
type alias = color

const (
	red color = iota
	green
)

func (c color) String() string { return [...]string{"red", "green"}[c] }

func paint(c color) label { return label(c.String()) }

func main() {
	temp := celsius(36.6)
	col := green
	name := label("tag")
	bits := flags{true, false}
	temps := table{"body": 37}
	var h handler = paint
	var r ref = (*color)(&col)
	var a alias = red
	wait := 1500 * time.Millisecond
	var mode os.FileMode = 0o644
	month := time.March
	println("stop") // stop
	// want: temp value=36.6 type=main.celsius
	// want: col value=1 type=main.color size=1
	// want: name value=tag type=main.label len=3 text=tag
	// want: bits value="[true false]" type=main.flags len=2
	// want: temps value=`map["body":37]` type=main.table
	// want: h value=main.paint type=main.handler
	// want: r type=main.ref points_to=col text=1
	// want: a value=0 type=main.color
	// want: wait value=1500000000 type=time.Duration
	// want: mode value=420 type=io/fs.FileMode|fs.FileMode
	// want: month value=3 type=time.Month
	func() { // uses them: a dead variable would keep a stale pointer when the stack moves
		_, _, _, _, _, _ = temp, col, name, bits, temps, h
		_, _, _, _, _ = r, a, wait, mode, month
	}()
}
