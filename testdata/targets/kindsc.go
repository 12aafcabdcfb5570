// C memory in a Go program, each told in one line: what it is and where. Then it says "ready" and
// stands as it is.
package main

/*
#cgo LDFLAGS: -ldl -lpthread
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

volatile uintptr_t in_thread;
volatile long in_tid;
int c_variable = 7;
int c_function(int n) { return n + c_variable; }

static void *stand(void *unused) {
	volatile char local[64];
	local[0] = 1;
	in_tid = syscall(SYS_gettid);
	in_thread = (uintptr_t)local;
	for (;;) pause();
	return unused;
}
static void start(void) {
	pthread_t thread;
	pthread_create(&thread, NULL, stand, NULL);
	while (!in_thread) usleep(1000);
}
static uintptr_t on_stack(void) {
	volatile char local[64];
	local[0] = 1;
	return (uintptr_t)local;
}
static uintptr_t c_function_address(void) { return (uintptr_t)c_function; }
static uintptr_t c_variable_address(void) { return (uintptr_t)&c_variable; }
static uintptr_t symbol(const char *name) { return (uintptr_t)dlsym(RTLD_DEFAULT, name); }
static uintptr_t pages(void) {
	char *p = mmap(NULL, 1 << 16, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	p[0] = 1;
	return (uintptr_t)p;
}
static uintptr_t reserve(void) {
	return (uintptr_t)mmap(NULL, 1 << 16, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}
*/
import "C"

import (
	"fmt"
	"os"
	"runtime"
	"syscall"
)

var keep = make([]byte, 64)

func tell(what string, address uintptr) { fmt.Printf("%s %#x\n", what, address) }

func main() {
	runtime.LockOSThread()
	C.start()
	tell("malloc", uintptr(C.malloc(100)))
	tell("bigmalloc", uintptr(C.malloc(1<<20)))
	tell("cmmap", uintptr(C.pages()))
	tell("reserved", uintptr(C.reserve()))
	fmt.Printf("cthread %#x %d\n", uintptr(C.in_thread), int(C.in_tid))
	fmt.Printf("called %#x %d\n", uintptr(C.on_stack()), syscall.Gettid())
	tell("libc", uintptr(C.symbol(C.CString("getpid"))))
	tell("libcdata", uintptr(C.symbol(C.CString("stderr"))))
	tell("libcbss", uintptr(C.symbol(C.CString("environ"))))
	tell("ctext", uintptr(C.c_function_address()))
	tell("cdata", uintptr(C.c_variable_address()))
	fmt.Println("ready")
	os.Stdin.Read(keep)
}
