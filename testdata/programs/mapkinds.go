// Maps with every sort of key, and with keys and values too big to lie in a slot.
package main

import "math"

type id uint32

type wide [20]int64 // 160 bytes: kept behind a pointer

func main() {
	floats := map[float64]string{0.5: "half", math.Inf(1): "inf"}
	nan := map[float64]int{math.NaN(): 1}
	anys := map[any]int{"text": 1, 2: 2, true: 3}
	arrays := map[[2]int8]bool{{1, 2}: true}
	complexes := map[complex128]int{1 + 2i: 12}
	ids := map[id]id{1: 10}
	runes := map[rune]byte{'a': 'A'}
	wideValues := map[int]wide{7: {0: 70, 19: 71}}
	wideKeys := map[wide]int{{5: 55}: 5}
	funcs := map[string]func() int{"main": func() int { return 1 }}
	chans := map[string]chan int{"nil": nil}
	emptyBoth := map[struct{}]struct{}{{}: {}}
	println("stop") // stop
	// want: floats len=2 value=`map[0.5:"half" +Inf:"inf"]`
	// want: nan len=1 value=map[NaN:1]
	// want: anys len=3
	// want: arrays len=1 value="map[[1 2]:true]"
	// want: complexes len=1 value=map[(1+2i):12]
	// want: ids len=1 value=map[1:10] type=map[main.id]main.id
	// want: runes value=map[97:65]
	// want: wideValues len=1
	// want: wideValues[7][0] value=70
	// want: wideValues[7][19] value=71
	// want: wideKeys len=1
	// want: funcs len=1 value~`map\["main":main\.main\.func\d\]`
	// want: chans value=`map["nil":nil]`
	// want: emptyBoth len=1 value=map[{}:{}]
	func() { // uses them: a dead variable would keep a stale pointer when the stack moves
		_, _, _, _, _, _, _ = floats, nan, anys, arrays, complexes, ids, runes
		_, _, _, _, _ = wideValues, wideKeys, funcs, chans, emptyBoth
	}()
}
