// C's memory beside Go's: the C heap, C's static data, C structs and strings; a callback.
//
// needs: gcc
package main

/*
#include <stdlib.h>
#include <string.h>

typedef struct { int id; double weight; char name[8]; char *note; } item;

static int counter = 7;
static const char greeting[] = "hello from C";

static item *new_item(int id) {
	item *it = malloc(sizeof *it);
	it->id = id;
	it->weight = 2.5;
	strcpy(it->name, "bolt");
	it->note = strdup("a note");
	return it;
}
static int *counter_at(void) { return &counter; }
static const char *greeting_at(void) { return greeting; }
*/
import "C"

import "unsafe"

func main() {
	block := C.malloc(1000)
	text := C.CString("made by Go for C")
	it := C.new_item(42)
	id := int(it.id)
	counter := C.counter_at()
	greeting := C.greeting_at()
	local := C.item{id: 5}
	view := unsafe.Slice((*byte)(block), 4)
	view[0], view[3] = 1, 4
	word := unsafe.String((*byte)(unsafe.Pointer(text)), 4)
	goString := C.GoString(text)
	var number C.int = 12
	println("settle", (*int)(nil)) // the stack grows here, not later
	println("at block.data", block)
	println("at text.data", text)
	println("stop") // stop
	// want: block live goroutine_stack data=c_heap value.printed=block.data
	// want: text data=c_heap data.printed=text.data text=109
	// want: it data=c_heap
	// want: it.id value=42 type=main._Ctype_int|int32|main._Ctype_int32_t
	// want: it.weight value=2.5
	// want: it.note data=c_heap
	// want: id value=42
	// want: counter data=data text=7
	// want: greeting data=rodata text=104
	// want: local live goroutine_stack
	// want: local.id value=5
	// want: view len=4 data=c_heap shares=block
	// want: view[3] value=4
	// want: word value=made data=c_heap shares=text
	// want: goString value=`made by Go for C` len=16
	// want: number value=12 size=4
	C.free(unsafe.Pointer(it.note))
	C.free(unsafe.Pointer(it))
	C.free(unsafe.Pointer(text))
	C.free(block)
	_, _, _, _, _, _, _ = id, counter, greeting, local, word, goString, number
}
