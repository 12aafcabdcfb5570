// The variable of a type switch has another type in every clause.
package main

import "errors"

type point struct{ X, Y int }

func kind(in any) string {
	switch v := in.(type) {
	case nil:
		return "nil" // stop
		// want: in live value=nil
	case int:
		return "int" // stop
		// want: v live value=42 type=int
		// want: in live value=42 dynamic_type=int
	case string, []byte:
		return "text" // stop hits=2
		// want#1: v live dynamic_type=string value=str
		// want#2: v live dynamic_type=[]uint8 value="[104 105]"
	case point:
		return "point" // stop
		// want: v live value="{X:1 Y:2}" type=main.point
	case *point:
		return "pointer" // stop
		// want: v live type=*main.point
		// want: v.X value=3
	case error:
		return v.Error() // stop
		// want: v live type=error dynamic_type=*errors.errorString
	default:
		return "other" // stop
		// want: v live dynamic_type=float64 value=2.5
	}
}

func main() {
	for _, in := range []any{nil, 42, "str", []byte("hi"), point{1, 2}, &point{3, 4}, errors.New("e"), 2.5} {
		kind(in)
	}
}
