// Walks over values of the standard library by reflection, and tells of each pointer where it lies,
// and what its static type says of what it leads to.
package main

import (
	"reflect"
	"runtime"
	"strings"
	"unsafe"
)

type visit struct {
	at unsafe.Pointer
	t  reflect.Type
}

type walker struct {
	done map[visit]bool
	left int
}

// walk tells of all that a pointer leads to.
func walk(p any) any {
	w := walker{map[visit]bool{}, 1500}
	v := reflect.ValueOf(p)
	w.value(v.Type(), (*[2]unsafe.Pointer)(unsafe.Pointer(&p))[1], 0)
	return p
}

// points: at `to` lie so many values of a type.
func points(to unsafe.Pointer, t reflect.Type, count int) {
	n := typeNumber(t)
	word("points")
	number(uintptr(to))
	number(uintptr(n))
	number(uintptr(count))
	end()
}

func ofRuntime(t reflect.Type) bool {
	path := t.PkgPath()
	return path == "runtime" || strings.HasPrefix(path, "internal/runtime") || path == "internal/abi"
}

// value looks at a value of a type whose word (or first byte) is `at`: for what is itself a pointer
// the pointer.
func (w *walker) value(t reflect.Type, at unsafe.Pointer, depth int) {
	switch t.Kind() {
	case reflect.Pointer:
		w.pointer(t.Elem(), at, depth)
	case reflect.Map:
		if at != nil {
			points(at, t, 1)
			w.entries(t, at, depth)
		}
	case reflect.Chan:
		if at != nil {
			points(at, t, 1)
		}
	case reflect.Func:
		if at != nil {
			if f := runtime.FuncForPC(*(*uintptr)(at)); f != nil {
				word("closures")
				number(uintptr(at))
				word(f.Name())
				end()
			}
		}
	}
}

func (w *walker) pointer(t reflect.Type, to unsafe.Pointer, depth int) {
	if to == nil || w.left <= 0 || ofRuntime(t) {
		return
	}
	points(to, t, 1)
	w.inside(t, to, depth+1)
}

// inside looks at what lies in memory: a value of the type.
func (w *walker) inside(t reflect.Type, at unsafe.Pointer, depth int) {
	key := visit{at, t}
	if w.done[key] || w.left <= 0 || depth > 40 {
		return
	}
	w.done[key] = true
	w.left--
	switch t.Kind() {
	case reflect.Pointer, reflect.Map, reflect.Chan, reflect.Func:
		w.value(t, *(*unsafe.Pointer)(at), depth)
	case reflect.String:
		if s := *(*string)(at); len(s) > 0 {
			points(unsafe.Pointer(unsafe.StringData(s)), typeOf[byte](), len(s))
		}
	case reflect.Slice:
		header := *(*[]byte)(at)
		if cap(header) == 0 || t.Elem().Size() == 0 {
			return
		}
		start := unsafe.Pointer(unsafe.SliceData(header[:cap(header)]))
		points(start, t.Elem(), cap(header))
		for i := 0; i < len(header) && i < 40; i++ {
			w.inside(t.Elem(), unsafe.Add(start, uintptr(i)*t.Elem().Size()), depth+1)
		}
	case reflect.Interface:
		v := reflect.NewAt(t, at).Elem()
		if v.IsNil() {
			return
		}
		data := (*[2]unsafe.Pointer)(at)[1]
		if kind := v.Elem().Type(); direct(kind) {
			w.held(kind, data, depth)
		} else {
			points(data, kind, 1)
			w.inside(kind, data, depth+1)
		}
	case reflect.Struct:
		for i := 0; i < t.NumField(); i++ {
			f := t.Field(i)
			w.inside(f.Type, unsafe.Add(at, f.Offset), depth)
		}
	case reflect.Array:
		for i := 0; i < t.Len() && i < 40; i++ {
			w.inside(t.Elem(), unsafe.Add(at, uintptr(i)*t.Elem().Size()), depth)
		}
	}
}

// held looks at a value that an interface's data word is itself.
func (w *walker) held(t reflect.Type, data unsafe.Pointer, depth int) {
	switch t.Kind() {
	case reflect.Struct:
		for i := 0; i < t.NumField(); i++ {
			if f := t.Field(i); direct(f.Type) {
				w.held(f.Type, data, depth)
			}
		}
	case reflect.Array:
		w.held(t.Elem(), data, depth)
	default:
		w.value(t, data, depth)
	}
}

func (w *walker) entries(t reflect.Type, m unsafe.Pointer, depth int) {
	if key := (visit{m, t}); w.done[key] || w.left <= 0 || depth > 40 {
		return
	} else {
		w.done[key] = true
	}
	p := m
	all := reflect.NewAt(t, unsafe.Pointer(&p)).Elem().MapRange()
	for n := 0; all.Next() && n < 20; n++ {
		for _, part := range []reflect.Value{all.Key(), all.Value()} {
			copied := reflect.New(part.Type())
			copied.Elem().Set(part)
			w.inside(part.Type(), copied.UnsafePointer(), depth+1)
		}
	}
}
