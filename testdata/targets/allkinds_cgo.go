// The kinds of memory that only a program with C has; lines as in allkinds.go.
//
// It prints "ready" and stands still until its stdin closes: one C thread and one Go thread that is
// in C wait meanwhile, each in a C function with a local variable.
package main

/*
#cgo LDFLAGS: -lpthread
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int in_data = 7;
static int in_bss;
static const char in_rodata[] = "constant of C";
static pthread_mutex_t told = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t  change = PTHREAD_COND_INITIALIZER;
static uintptr_t on_thread, in_call;

static void wait_here(uintptr_t *where) {
	volatile char local[64];
	local[0] = 1;
	pthread_mutex_lock(&told);
	*where = (uintptr_t)&local[0];
	pthread_cond_broadcast(&change);
	for (;;) pthread_cond_wait(&change, &told);
}
static void *thread(void *unused) { wait_here(&on_thread); return unused; }
static void start_thread(void) { pthread_t t; pthread_create(&t, 0, thread, 0); }
static void stay(void) { wait_here(&in_call); }
static uintptr_t wait_for(uintptr_t *where) {
	pthread_mutex_lock(&told);
	while (!*where) pthread_cond_wait(&change, &told);
	pthread_mutex_unlock(&told);
	return *where;
}
static uintptr_t thread_local_at(void) { return wait_for(&on_thread); }
static uintptr_t call_local_at(void) { return wait_for(&in_call); }
static void *data_at(void) { return &in_data; }
static void *bss_at(void) { return &in_bss; }
static const void *rodata_at(void) { return in_rodata; }
static void *code_at(void) { return (void *)stay; }
static void *library_at(void) { return (void *)getpid; }
*/
import "C"

import (
	"fmt"
	"io"
	"os"
	"unsafe"
)

func say(name string, address unsafe.Pointer, says string) {
	fmt.Printf("%s %#x {%s}\n", name, uintptr(address), says)
}

func main() {
	small := C.malloc(100)
	big := C.malloc(10 << 20) // glibc maps such a block by itself
	text := C.CString("made by Go, kept by C")
	C.start_thread()
	go C.stay()
	say("c_heap", small, `"kind": "c_heap"`)
	say("c_heap_inside", unsafe.Add(small, 60), `"kind": "c_heap"`)
	say("c_heap_big", unsafe.Add(big, 1<<20), `"kind": "c_heap"`)
	say("c_string", unsafe.Pointer(text), `"kind": "c_heap"`)
	say("c_data", C.data_at(), `"kind": "data", "section": ".data"`)
	say("c_bss", C.bss_at(), `"kind": "bss"`)
	say("c_rodata", unsafe.Pointer(C.rodata_at()), `"kind": "rodata"`)
	say("c_code", C.code_at(), `"kind": "text"`)
	say("library", C.library_at(), `"kind": "library"`)
	say("c_stack_thread", unsafe.Pointer(uintptr(C.thread_local_at())), `"kind": "system_stack"`)
	say("c_stack_call", unsafe.Pointer(uintptr(C.call_local_at())), `"kind": "system_stack"`)
	fmt.Printf("pid %d\nready\n", os.Getpid())
	io.Copy(io.Discard, os.Stdin)
	C.free(small)
	C.free(big)
}
