// What package initialisation builds: static data where it can, heap objects where it must.
package main

import (
	"os"
	"strings"
)

type level struct {
	Name string
	Subs []level
}

var (
	static  = []level{{"root", []level{{"leaf", nil}}}}
	dynamic = strings.ToUpper("made at start")
	lookup  = map[string]int{"a": 1, "b": 2}
	args    = append([]string{"prog"}, os.Args[1:]...)
	fn      = strings.ToLower
	made    = make([]int, 100)
	err     = os.ErrNotExist
	bytes   = []byte("static bytes")
	anys    = []any{1, "two", 3.5, nil}
)

func main() {
	s, d, l, a, f, m, e, b, n := static, dynamic, lookup, args, fn, made, err, bytes, anys
	println("stop") // stop
	// want: s data=data data.section=.data
	// want: s value=`[{Name:"root" Subs:[{Name:"leaf" Subs:nil}]}]`
	// want: s[0].Subs[0].Name value=leaf
	// want: d value=`MADE AT START` data=heap
	// want: l len=2 data=heap value=`map["a":1 "b":2]`
	// want: a value=`["prog"]` data=heap
	// want: f value=strings.ToLower
	// want: m len=100 data.object_size=896
	// want: e dynamic_type=*errors.errorString
	// want: e.s value=`file does not exist`
	// want: b value~`\[115 116 97 116 105 99 32.*` len=12
	// want: n len=4
	// want: n[0] value=1 dynamic_type=int
	// want: n[1] value=two dynamic_type=string
	// want: n[2] value=3.5 dynamic_type=float64
	// want: n[3] value=nil
	func() { // uses them: a dead variable would keep a stale pointer when the stack moves
		_, _, _, _, _, _, _, _, _ = s, d, l, a, f, m, e, b, n
	}()
}
