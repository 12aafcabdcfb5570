// A string of one megabyte: its length is exact, its text is cut.
package main

import (
	"strings"
	"unsafe"
)

func main() {
	long := strings.Repeat("0123456789abcdef", 1<<16)
	tail := long[1<<20-5:]
	println("settle", (*int)(nil)) // the stack grows here, not later
	println("at long.data", unsafe.StringData(long))
	println("stop") // stop
	// want: long live goroutine_stack size=16 data=heap len=1048576 data.printed=long.data
	// want: long value~`0123456789abcdef0123456789abcdef.*…` data.object_size=1048576 data.noscan=true
	// want: tail value=bcdef len=5 data=heap shares=long+1048571
	func() { // uses them: a dead variable would keep a stale pointer when the stack moves
		_, _ = long, tail
	}()
}
