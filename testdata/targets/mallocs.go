// A program whose C code asks for memory: it prints what malloc itself says of that.
package main

/*
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

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

static size_t arena(void) { return mallinfo2().arena; }
static size_t mapped(void) { return mallinfo2().hblkhd; }
*/
import "C"

import (
	"fmt"
	"os"
	"runtime"
)

func main() {
	runtime.LockOSThread()
	C.take(1000, 20)
	fmt.Println("arena", uint64(C.arena()))
	fmt.Println("mapped", uint64(C.mapped()))
	fmt.Println("ready")
	os.Stdin.Read(make([]byte, 1))
}
