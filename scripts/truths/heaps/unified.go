// Handles of package unique, since Go 1.23.
package main

import (
	"unique"
	"unsafe"
)

// unified: a handle points at the only copy of its value.
//
//go:noinline
func unified[T comparable](h *unique.Handle[T]) {
	value(*(**T)(unsafe.Pointer(h)))
}
