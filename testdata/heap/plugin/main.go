// Objects whose types are a plugin's, or were made by reflect. The program prints each one's address
// and type.
package main

import (
	"fmt"
	"os"
	"plugin"
	"reflect"
	"runtime"
	"unsafe"
)

type host struct{ w any }

var (
	h    = &host{}
	made any
	all  []any
	run  func() int
)

func word(v any) unsafe.Pointer { return (*[2]unsafe.Pointer)(unsafe.Pointer(&v))[1] }

func main() {
	p, err := plugin.Open(os.Args[1])
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	lookup := func(name string) plugin.Symbol {
		found, err := p.Lookup(name)
		if err != nil {
			panic(err)
		}
		return found
	}
	h.w = lookup("Make").(func(int) any)(20)
	fmt.Printf("obj %p main.Widget\n", h.w)
	all = lookup("Various").(func() []any)()
	for _, v := range all {
		t := reflect.TypeOf(v).String()
		if reflect.TypeOf(v).Kind() == reflect.Pointer {
			t = t[1:]
		}
		fmt.Printf("obj %p %s\n", word(v), t)
	}
	run = lookup("Closure").(func() func() int)()
	fmt.Printf("obj %p closure plug/p.Closure.func1\n", *(*unsafe.Pointer)(unsafe.Pointer(&run)))
	made = reflect.New(reflect.ArrayOf(70+len(os.Args), reflect.TypeOf(all[1]))).Interface()
	fmt.Printf("obj %p %s\n", word(made), reflect.TypeOf(made).String()[1:])
	runtime.GC()
	fmt.Println("ready")
	os.Stdin.Read(make([]byte, 1))
}
