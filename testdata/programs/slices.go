// Slices: header here, array there: nil, empty, literal, cut, shared, grown, of everything.
package main

import "unsafe"

type pair struct{ X, Y int }

var global = []int{10, 20, 30}
var globalArray [4]int

func main() {
	var none []int
	empty := []int{}
	three := []int{1, 2, 3}
	words := []string{"alpha", "beta"}
	pairs := []pair{{1, 2}, {3, 4}}
	pointers := []*pair{&pairs[0], nil}
	grid := [][]int{{1, 2}, nil, {3}}
	raw := []byte("hi\x00\xff")
	part := three[1:2]
	capped := three[0:1:2]
	made := make([]int, 2, 10)
	n := len(words) * 50
	hundred := make([]int, n)
	for i := range hundred {
		hundred[i] = i
	}
	fromArray := globalArray[1:3]
	bools := []bool{true, false}
	nothing := make([]struct{}, 5)
	println("settle", (*int)(nil)) // the stack grows here, not later
	println("at three", &three)
	println("at three.data", unsafe.SliceData(three))
	println("at hundred.data", unsafe.SliceData(hundred))
	println("at global.data", unsafe.SliceData(global))
	println("stop") // stop
	// want: none live goroutine_stack size=24 value=nil len=0 cap=0 no_data type=[]int
	// want: empty live goroutine_stack value=[] len=0 cap=0
	// want: three live goroutine_stack value="[1 2 3]" len=3 cap=3 elements=3 printed=three data.printed=three.data
	// want: three[0] value=1
	// want: three[2] value=3
	// want: words value=`["alpha" "beta"]` len=2 cap=2
	// want: words[1] value=beta len=4 data=rodata text=beta
	// want: pairs value="[{X:1 Y:2} {X:3 Y:4}]" type=[]main.pair
	// want: pairs[1].Y value=4
	// want: pointers len=2 value~`\[0x[0-9a-f]+ nil\]`
	// want: pointers[0].X value=1
	// want: pointers[1] value=nil
	// want: grid value="[[1 2] nil [3]]" len=3
	// want: grid[0] value="[1 2]" len=2
	// want: grid[1] value=nil len=0
	// want: grid[2][0] value=3
	// want: raw value="[104 105 0 255]" len=4
	// want: part value=[2] len=1 cap=2 shares=three+8
	// want: capped value=[1] len=1 cap=2 shares=three
	// want: made value="[0 0]" len=2 cap=10
	// want: hundred len=100 cap=100 data=heap data.printed=hundred.data value~`\[0 1 2 3 .*… \d+ more\]`
	// want: hundred data.object_size=896 data.noscan=true
	// want: fromArray value="[0 0]" len=2 cap=3 data=bss data.symbol=main.globalArray+0x8 data.section=.noptrbss
	// want: bools value="[true false]"
	// want: nothing len=5 cap=5 value="[{} {} {} {} {}]"
	func() { // uses them: a dead variable would keep a stale pointer when the stack moves
		_, _, _, _, _, _, _, _ = none, empty, three, words, pairs, pointers, grid, raw
		_, _, _, _, _, _, _ = part, capped, made, hundred, fromArray, bools, nothing
	}()
}
