// Maps that fit one group: nil, empty, small, with deleted entries, of every kind of value.
package main

type point struct{ X, Y int }

var sink map[string]int

func main() {
	var none map[string]int
	empty := map[string]int{}
	ages := map[string]int{"ann": 30, "bob": 25, "eve": 35}
	squares := map[int]int{1: 1, 2: 4, 3: 9}
	points := map[string]point{"a": {1, 2}, "b": {3, 4}}
	set := map[string]struct{}{"x": {}, "y": {}}
	byPoint := map[point]string{{1, 2}: "low", {3, 4}: "high"}
	lists := map[string][]int{"odd": {1, 3}, "none": nil}
	nested := map[string]map[string]int{"out": {"in": 1}}
	flags := map[bool]int8{true: 1, false: 0}
	deleted := map[int]string{1: "one", 2: "two", 3: "three"}
	delete(deleted, 2)
	cleared := map[int]int{1: 1}
	delete(cleared, 1)
	pointers := map[string]*point{"p": {5, 6}}
	sink = make(map[string]int, 4)
	sink["heap"] = 1
	escaped := sink
	println("stop") // stop
	// want: none live goroutine_stack size=8 value=nil len=0 type=map[string]int
	// want: empty live value=map[] len=0
	// want: ages live goroutine_stack len=3 value=`map["ann":30 "bob":25 "eve":35]` elements=3
	// want: ages["bob"] value=25
	// want: squares len=3 value="map[1:1 2:4 3:9]"
	// want: squares[3] value=9
	// want: points len=2 value=`map["a":{X:1 Y:2} "b":{X:3 Y:4}]`
	// want: points["b"].Y value=4
	// want: set len=2 value=`map["x":{} "y":{}]`
	// want: byPoint len=2 value=`map[{X:1 Y:2}:"low" {X:3 Y:4}:"high"]`
	// want: lists len=2 value=`map["none":nil "odd":[1 3]]`
	// want: nested len=1 value=`map["out":map["in":1]]`
	// want: flags len=2 value="map[false:0 true:1]"
	// want: deleted len=2 value=`map[1:"one" 3:"three"]` elements=2
	// want: cleared len=0 value=map[]
	// want: pointers len=1 value~`map\["p":0x[0-9a-f]+\]`
	// want: pointers["p"].X value=5
	// want: escaped len=1 data=heap value=`map["heap":1]`
	func() { // uses them: a dead variable would keep a stale pointer when the stack moves
		_, _, _, _, _, _, _ = none, empty, ages, squares, points, set, byPoint
		_, _, _, _, _, _, _ = lists, nested, flags, deleted, cleared, pointers, escaped
	}()
}
