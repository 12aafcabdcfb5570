// Objects of types that reflect makes when the program runs, and one whose array lies in a struct:
// each is told with its type; "part" is what may be said instead: another true statement.
package main

import (
	"fmt"
	"os"
	"reflect"
	"runtime"
	"unsafe"
)

type item struct {
	name string
	next *item
}

// A slice of its array reaches to the end of the object, and does not begin it.
type row struct {
	next  []row
	owner *item
	calls [5]func()
}

// Maps within the entries of a map of the same type.
type tree struct {
	kids map[string]tree
	pad  [12]*item
}

func grown(depth int) map[string]tree {
	all := map[string]tree{}
	for i := 0; i < 10 && depth > 0; i++ {
		all[fmt.Sprint("kid ", i)] = tree{kids: grown(depth - 1)}
	}
	return all
}

// A named type of a map that others have without the name.
type index map[int]item

var (
	indexes struct {
		named index
		plain map[int]item
	}
	trees   map[string]tree
	hidden  []unsafe.Pointer
	values  []any
	rows    []row
	between []func()
	only    []*item
)

func obj(at unsafe.Pointer, what string) { fmt.Printf("obj %#x %s\n", uintptr(at), what) }

func word(v any) unsafe.Pointer { return (*[2]unsafe.Pointer)(unsafe.Pointer(&v))[1] }

// keep tells of a value that an interface holds: a pointer, or what lies in memory of its own.
func keep(v any) {
	values = append(values, v)
	t := reflect.TypeOf(v)
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	obj(word(v), t.String())
}

func main() {
	of := reflect.TypeOf
	made := reflect.StructOf([]reflect.StructField{
		{Name: "Name", Type: of(""), Tag: `json:"name"`},
		{Name: "Item", Type: of(&item{})},
		{Name: "Many", Type: of([]*item{})},
	})
	deep := reflect.StructOf([]reflect.StructField{
		{Name: "Inner", Type: made},
		{Name: "All", Type: reflect.MapOf(of(0), reflect.PointerTo(made))},
	})
	call := reflect.FuncOf([]reflect.Type{made, reflect.SliceOf(of(0))}, []reflect.Type{of(0), of("")}, true)
	empty := reflect.StructOf(nil)
	keep(reflect.New(made).Interface())
	keep(reflect.New(deep).Interface())
	keep(reflect.New(reflect.ArrayOf(3, made)).Interface())
	keep(reflect.MakeMap(reflect.MapOf(of(""), made)).Interface())
	keep(reflect.MakeChan(reflect.ChanOf(reflect.BothDir, made), 2).Interface())
	keep(reflect.New(reflect.StructOf([]reflect.StructField{{Name: "Call", Type: call}, {Name: "N", Type: of(0)}})).Interface())
	keep(reflect.New(reflect.StructOf([]reflect.StructField{{Name: "Empty", Type: empty}, {Name: "P", Type: of(&item{})}})).Interface())
	keep(reflect.New(reflect.FuncOf([]reflect.Type{of(0)}, nil, false)).Interface())

	rows = make([]row, 1)
	rows[0].next = make([]row, 2)
	rows[0].next[0].owner = &item{name: "owner"}
	rows[0].next[0].next = rows
	rows[0].calls[1] = func() { fmt.Println(len(rows)) }
	between = rows[0].calls[:]
	obj(unsafe.Pointer(&rows[0]), "[]main.row backing | main.row")
	obj(unsafe.Pointer(&rows[0].next[0]), "[]main.row backing")
	obj(unsafe.Pointer(rows[0].next[0].owner), "main.item")
	queue := make([]*item, 4)
	only = queue[1:]
	obj(unsafe.Pointer(&queue[0]), "[]*main.item backing")

	indexes.named, indexes.plain = index{1: {}}, map[int]item{2: {}}
	obj(*(*unsafe.Pointer)(unsafe.Pointer(&indexes.named)), "main.index")
	obj(*(*unsafe.Pointer)(unsafe.Pointer(&indexes.plain)), "map[int]main.item")
	finalized := &item{name: "finalized"}
	runtime.SetFinalizer(finalized, func(*item) {})
	hidden = append(hidden, unsafe.Pointer(finalized))
	obj(unsafe.Pointer(finalized), "main.item")

	trees = grown(3)
	fmt.Println("ready")
	os.Stdin.Read(make([]byte, 1))
}
