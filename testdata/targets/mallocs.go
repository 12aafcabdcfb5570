// A program whose C code asks for memory: it prints what malloc itself says of that.
//
//	mallocs WHERE MAPPED
//
// WHERE is "main" or "thread", whose arena the small blocks are of (6,000 of a thread's need two
// heaps of 64 MiB); MAPPED are MiB that Go and C each map besides, by mmap(2).
package main

/*
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static void *kept[4096];

static void take(int small, int large) {
	for (int i = 0; i < small; i++) {
		kept[i % 2048] = malloc(16 << 10);
		memset(kept[i % 2048], 1, 16 << 10);
	}
	for (int i = 0; i < large; i++) {
		kept[2048 + i] = malloc(1 << 20);
		memset(kept[2048 + i], 1, 1 << 20);
	}
}

static void map_some(size_t size) {
	memset(mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), 1, size);
}

static size_t arena(void) { return mallinfo2().arena; }
static size_t mapped(void) { return mallinfo2().hblkhd; }
*/
import "C"

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"syscall"
)

func main() {
	runtime.LockOSThread()
	if os.Args[1] == "thread" {
		done := make(chan bool)
		go func() {
			C.take(6000, 20)
			close(done)
		}()
		<-done
	} else {
		C.take(1000, 20)
	}
	mapped, _ := strconv.Atoi(os.Args[2])
	if mapped > 0 {
		C.map_some(C.size_t(mapped << 20))
		own, err := syscall.Mmap(-1, 0, mapped<<20, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
		if err != nil {
			panic(err)
		}
		for i := range own {
			own[i] = 1
		}
	}
	fmt.Println("arena", uint64(C.arena()))
	fmt.Println("mapped", uint64(C.mapped()))
	fmt.Println("ready")
	os.Stdin.Read(make([]byte, 1))
}
