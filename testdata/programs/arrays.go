// Arrays lie where their variable lies; they point at nothing themselves.
package main

type cell struct {
	On   bool
	Name string
}

func main() {
	five := [5]int{1, 2, 3, 4, 5}
	none := [0]int{}
	words := [2]string{"left", "right"}
	matrix := [2][3]uint8{{1, 2, 3}, {4, 5, 6}}
	cells := [2]cell{{true, "a"}, {}}
	sparse := [...]int{3: 30}
	hundred := [100]int16{99: -1}
	pointers := [2]*int{&five[2], nil}
	blanks := [3]struct{}{}
	println("settle", (*int)(nil)) // the stack grows here, not later
	println("at five", &five)
	println("at five[2]", &five[2])
	println("at cells[1].Name", &cells[1].Name)
	println("stop") // stop
	// want: five live goroutine_stack size=40 value="[1 2 3 4 5]" elements=5 printed=five type=[5]int no_data
	// want: five[2] value=3 printed=five[2] goroutine_stack
	// want: none live size=0 value=[]
	// want: words live size=32 value=`["left" "right"]`
	// want: words[0] value=left data=rodata text=left
	// want: matrix live size=6 value="[[1 2 3] [4 5 6]]" type=[2][3]uint8
	// want: matrix[1][0] value=4
	// want: cells live size=48 value=`[{On:true Name:"a"} {On:false Name:""}]`
	// want: cells[1].Name value="" printed=cells[1].Name
	// want: sparse value="[0 0 0 30]"
	// want: hundred live size=200 type=[100]int16 value~`\[0 0 0 .*… \d+ more\]`
	// want: pointers value~`\[0x[0-9a-f]+ nil\]`
	// want: pointers[0] data=goroutine_stack points_to=five+16
	// want: blanks live size=0 value="[{} {} {}]"
	func() { // uses them: a dead variable would keep a stale pointer when the stack moves
		_, _, _, _, _, _, _, _, _ = five, none, words, matrix, cells, sparse, hundred, pointers, blanks
	}()
}
