// Objects that only maps lead to, under keys of all kinds. For each it prints the address and the path
// to it, by the key.
package main

import (
	"fmt"
	"os"
	"strings"
	"unsafe"
)

type item struct {
	number int
	next   *item
}

type id string

type place struct {
	row  int
	name string
}

type wide struct {
	name string
	pad  [20]int
}

type slot struct {
	pad [2]int
	p   *item
}

type large struct {
	pad [20]int
	p   *item
}

var (
	texts   = map[string]*item{}
	ids     = map[id]*item{}
	numbers = map[int]*item{}
	signs   = map[int8]*item{}
	flags   = map[bool]*item{}
	arrays  = map[[2]uint16]*item{}
	structs = map[place]*item{}
	mixed   = map[any]*item{}
	keyed   = map[*item]*item{}
	wides   = map[wide]*item{}
	parts   = map[string]slot{}
	larges  = map[string]large{}
	lists   = map[string][]*item{}
	nested  = map[string]map[int]*item{}
	chained = map[string]*item{}
	onlyKey = map[string]bool{}
)

func say(path string, pointer unsafe.Pointer) {
	fmt.Printf("obj %#x %s\n", uintptr(pointer), path)
}

func fresh(path string) *item {
	i := &item{number: len(os.Args)}
	say(path, unsafe.Pointer(i))
	return i
}

func fill() {
	for i := 0; i < 200; i++ {
		name := fmt.Sprintf("user %d", i)
		texts[name] = &item{number: i}
		if i%3 == 0 {
			delete(texts, name)
		}
	}
	texts["the one"] = fresh(`main.texts["the one"]`)
	texts[`say "no"`] = fresh(`main.texts["say \"no\""]`)
	ids["x-1"] = fresh(`main.ids["x-1"]`)
	for i := 0; i < 1000; i++ {
		numbers[i] = &item{number: i}
	}
	numbers[-77] = fresh(`main.numbers[-77]`)
	signs[-3] = fresh(`main.signs[-3]`)
	flags[true] = fresh(`main.flags[true]`)
	arrays[[2]uint16{7, 9}] = fresh(`main.arrays[[7 9]]`)
	structs[place{4, "east"}] = fresh(`main.structs[{row:4 name:"east"}]`)
	mixed["text"] = fresh(`main.mixed["text"]`)
	mixed[12] = fresh(`main.mixed[12]`)
	key := &item{}
	keyed[key] = fresh(fmt.Sprintf(`main.keyed[%p]`, key))
	wides[wide{name: "wide"}] = fresh(`main.wides[{name:"wide" pad:[0 0 0 0 … 16 more]}]`)
	parts["k"] = slot{p: fresh(`main.parts["k"].p`)}
	larges["k"] = large{p: fresh(`main.larges["k"].p`)}
	lists["k"] = []*item{nil, nil, fresh(`main.lists["k"][2]`)}
	nested["a"] = map[int]*item{5: fresh(`main.nested["a"][5]`)}
	chained["c"] = &item{next: &item{next: fresh(`main.chained["c"].next.next`)}}
	long := strings.Repeat("long ", 40)
	texts[long] = fresh(fmt.Sprintf(`main.texts["%s… 152 more bytes"]`, long[:48]))
	own := strings.Repeat("key ", 10)
	say(fmt.Sprintf(`main.onlyKey[key "%s"]`, own), unsafe.Pointer(unsafe.StringData(own)))
	onlyKey[own] = true
}

func main() {
	fill()
	fmt.Println("ready")
	fmt.Scanln()
}
