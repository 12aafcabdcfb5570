// Package-level arrays of pointers that are filled by an index: in loops, through pointers, in trees
// whose root is a variable. All types are of one layout, so that nothing else tells them apart. The
// last ones are traps: what lies behind an array is of another type, and an unsafe.Pointer may hold
// anything.
package main

import (
	"fmt"
	"os"
	"time"
	"unsafe"
)

type layout struct {
	left, right unsafe.Pointer
	n           int
	more        *int
}

type (
	apple  layout
	pear   layout
	plum   layout
	cherry layout
	quince layout
	medlar layout
	olive  layout
)

//go:noinline
func tell(at unsafe.Pointer, what string) {
	fmt.Printf("obj %#x %s\n", uintptr(at), what)
}

type trie struct {
	kids [5]*trie
	word *int
}

// Its array does not stand first.
type tree struct {
	n    int
	over *tree
	kids [4]*tree
}

type guarded struct {
	apples [6]*apple
	other  unsafe.Pointer
	more   *pear
}

var (
	looped  [8]*apple
	checked [16]*pear
	words   trie
	heights tree
	inside  guarded
	sliced  [12]*plum
	mixed   [8]unsafe.Pointer
	parted  [8]unsafe.Pointer
	whole   [4]struct{ p *quince }
	pairs   [4]struct{ p, q unsafe.Pointer }
	short   [4]*medlar
	behind  [4]unsafe.Pointer
	bytes   [200]*olive
)

//go:noinline
func fillLooped() {
	for i := range looped {
		looped[i] = &apple{n: i}
	}
}

//go:noinline
func fillChecked(i, times int) {
	if times > 1 {
		checked[i] = &pear{n: i * times}
	}
}

//go:noinline
func insert(path string) {
	at := &words
	for _, c := range path {
		i := int(c-'a') % 5
		if at.kids[i] == nil {
			at.kids[i] = &trie{word: new(int)}
		}
		at = at.kids[i]
	}
}

//go:noinline
func grow(path []int) {
	at := &heights
	for _, i := range path {
		if at.kids[i] == nil {
			at.kids[i] = &tree{n: i}
		}
		at = at.kids[i]
	}
}

// The index is compared with more than the array has.
//
//go:noinline
func fillInside(g *guarded, i int) bool {
	if i > 40 {
		return false
	}
	inside.apples[i%6&3] = &apple{n: i}
	inside.apples[i] = &apple{n: i}
	return true
}

//go:noinline
func fillOther() {
	p := &inside.other
	*p = unsafe.Pointer(&cherry{})
}

//go:noinline
func fillSliced(i int) {
	part := sliced[2:6]
	part[i] = &plum{n: i}
}

//go:noinline
func mixApple(i int) { mixed[i] = unsafe.Pointer(&apple{n: i}) }

//go:noinline
func mixPear(i int) { mixed[i] = unsafe.Pointer(&pear{n: i}) }

// One word is named, others are not.
//
//go:noinline
func partApple() { parted[3] = unsafe.Pointer(&apple{}) }

//go:noinline
func partPear(i int) { parted[i] = unsafe.Pointer(&pear{n: i}) }

//go:noinline
func fillWhole(i int) { whole[i].p = &quince{n: i} }

//go:noinline
func fillPairs(i int) {
	pairs[i].p = unsafe.Pointer(&cherry{n: i})
	pairs[i].q = unsafe.Pointer(&quince{n: i})
}

//go:noinline
func fillShort(i int) { short[i] = &medlar{n: i} }

//go:noinline
func fillBehind(i uint8) {
	if i == 100 {
		return
	}
	behind[i&3] = unsafe.Pointer(&plum{n: int(i)})
	behind[(i+1)&3] = unsafe.Pointer(&cherry{n: int(i)})
}

//go:noinline
func fillBytes(i uint8) {
	if i < 200 {
		bytes[i] = &olive{n: int(i)}
	}
}

func main() {
	fillLooped()
	for i := 0; i < 16; i += 3 {
		fillChecked(i, 2)
	}
	insert("abcabc")
	insert("edc")
	grow([]int{1, 2, 3})
	grow([]int{3, 2})
	for i := 0; i < 5; i++ {
		fillInside(&inside, i)
	}
	fillOther()
	fillSliced(1)
	fillSliced(3)
	for i := 0; i < 8; i += 2 {
		mixApple(i)
		mixPear(i + 1)
		partPear(i)
	}
	partApple()
	for i := 0; i < 4; i++ {
		fillWhole(i)
		fillPairs(i)
		fillShort(i)
	}
	fillBehind(1)
	fillBehind(3)
	fillBytes(7)
	fillBytes(190)

	for i := range looped {
		tell(unsafe.Pointer(looped[i]), "main.apple")
	}
	for i := 0; i < 16; i += 3 {
		tell(unsafe.Pointer(checked[i]), "main.pear")
	}
	for _, kid := range words.kids {
		if kid != nil {
			tell(unsafe.Pointer(kid), "main.trie")
		}
	}
	for _, kid := range heights.kids {
		if kid != nil {
			tell(unsafe.Pointer(kid), "main.tree")
		}
	}
	for i := 0; i < 5; i++ {
		tell(unsafe.Pointer(inside.apples[i]), "main.apple")
	}
	tell(unsafe.Pointer(sliced[3]), "main.plum")
	tell(unsafe.Pointer(sliced[5]), "main.plum")
	for i := 0; i < 4; i++ {
		tell(unsafe.Pointer(whole[i].p), "main.quince")
		tell(unsafe.Pointer(short[i]), "main.medlar")
	}
	tell(unsafe.Pointer(bytes[7]), "main.olive")
	tell(unsafe.Pointer(bytes[190]), "main.olive")

	fmt.Println("traps")
	tell(inside.other, "main.cherry")
	for i := 0; i < 8; i += 2 {
		tell(mixed[i], "main.apple")
		tell(mixed[i+1], "main.pear")
		if i != 3 {
			tell(parted[i], "main.pear")
		}
	}
	tell(parted[3], "main.apple")
	for i := 0; i < 4; i++ {
		tell(pairs[i].p, "main.cherry")
		tell(pairs[i].q, "main.quince")
	}
	tell(behind[0], "main.cherry")
	tell(behind[1], "main.plum")
	tell(behind[2], "main.cherry")
	tell(behind[3], "main.plum")
	fmt.Println("ready")
	var rest [1]byte
	os.Stdin.Read(rest[:])
	time.Sleep(0)
}
