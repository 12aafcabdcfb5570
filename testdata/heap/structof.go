// Descriptors of types that reflect makes: the runtime leads to them by pointers to their beginning.
package main

import (
	"fmt"
	"os"
	"reflect"
)

var keep []any

func main() {
	for i := 0; i < 8; i++ {
		made := reflect.StructOf([]reflect.StructField{
			{Name: "A", Type: reflect.TypeOf(0)},
			{Name: fmt.Sprint("B", i), Type: reflect.TypeOf("")},
		})
		keep = append(keep, reflect.New(made).Interface())
		keep = append(keep, reflect.New(reflect.ArrayOf(i+3, made)).Interface())
		keep = append(keep, reflect.New(reflect.MapOf(made, made)).Interface())
	}
	fmt.Println("ready")
	os.Stdin.Read(make([]byte, 1))
	fmt.Println(keep)
}
