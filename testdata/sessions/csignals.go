// A signal in C code, for tests/script/test_asked.py: nothing of Go's panics.
package main

/*
#include <stdlib.h>
static int deref(int *p) { return *p; }
static void give_up(void) { abort(); }
*/
import "C"
import "os"

//go:noinline
func crash(how string) {
	if how == "abort" {
		C.give_up()
	}
	C.deref(nil)
}

func main() { crash(os.Args[1]) }
