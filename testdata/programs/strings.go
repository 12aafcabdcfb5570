// Strings: where the bytes are (read-only data, heap, stack), what is in them, who shares them.
//
// builds: debug pie
package main

import (
	"strings"
	"unsafe"
)

func main() {
	msg := "Hello, Go!"
	empty := ""
	var zero string
	escapes := "tab\tnl\nquote\"bs\\esc\x1b[31mbell\a\x00nul"
	invalid := "ok\xff\xfe\xc3("
	unicode := "héllo, 世界 🌍"
	hidden := "rtl\u202e zero\u200b bom\ufeff del\x7f c1\u0085"
	sub := msg[7:9]
	same := "Hello, Go!"
	built := strings.Repeat("ab", 20)
	builtSub := built[4:10]
	joined := msg + built
	bytes := []byte("bytes on the move, long enough to need the heap")
	copied := string(bytes)
	replacement := "\ufffd"
	println("settle", (*int)(nil)) // the stack grows here, not later
	println("at msg", &msg)
	println("at msg.data", unsafe.StringData(msg))
	println("at built.data", unsafe.StringData(built))
	println("at copied.data", unsafe.StringData(copied))
	println("stop") // stop
	// want: msg live goroutine_stack size=16 data=rodata value=`Hello, Go!` text="Hello, Go!" len=10
	// want: msg printed=msg data.printed=msg.data type=string data.section=.rodata
	// want: empty live goroutine_stack value="" len=0
	// want: zero live goroutine_stack value="" len=0
	// want: escapes data=rodata len=33 value=`tab\tnl\nquote"bs\\esc\x1b[31mbell\a\x00nul`
	// want: invalid data=rodata len=6 value=ok\xff\xfe\xc3(
	// want: unicode data=rodata len=19 value=`héllo, 世界 🌍`
	// want: hidden value=`rtl\u202e zero\u200b bom\ufeff del\x7f c1\u0085`
	// want: sub value=Go len=2 data=rodata shares=msg+7
	// want: same value=`Hello, Go!` shares=msg
	// want: built value=abababababababababababababababababababab len=40 data=heap data.printed=built.data
	// want: built data.object_size=48 data.noscan=true data.allocated=true
	// want: builtSub value=ababab len=6 data=heap shares=built+4
	// want: joined data=heap len=50 data.object_size=64
	// want: copied data=heap len=47 data.printed=copied.data
	// want: replacement value=� len=3
	func() { // uses them: a dead variable would keep a stale pointer when the stack moves
		_, _, _, _, _, _, _, _ = msg, empty, zero, escapes, invalid, unicode, hidden, sub
		_, _, _, _, _, _, _ = same, built, builtSub, joined, bytes, copied, replacement
	}()
}
