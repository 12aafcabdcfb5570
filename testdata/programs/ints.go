// Every integer kind, bool included, at both ends of its range.
//
// builds: debug pie
package main

func main() {
	yes, no := true, false
	var i int = -42
	var i8 int8 = -128
	var i16 int16 = -32768
	var i32 int32 = -2147483648
	var i64 int64 = -9223372036854775808
	var u uint = 42
	var u8 uint8 = 255
	var u16 uint16 = 65535
	var u32 uint32 = 4294967295
	var u64 uint64 = 18446744073709551615
	var ptr uintptr = 0xdeadbeef
	var b byte = 'A'
	var r rune = '世'
	var zero int
	println("settle", (*int)(nil)) // the stack grows here, not later
	println("at yes", &yes)
	println("at i8", &i8)
	println("at u64", &u64)
	println("stop") // stop
	// want: @stop function=main.main goroutine=main frames=main.main
	// want: yes live goroutine_stack size=1 value=true type=bool printed=yes no_data
	// want: no live goroutine_stack value=false
	// want: i live goroutine_stack size=8 value=-42 type=int not_moved
	// want: i8 live goroutine_stack size=1 value=-128 type=int8 printed=i8
	// want: i16 live size=2 value=-32768 type=int16
	// want: i32 live size=4 value=-2147483648 type=int32
	// want: i64 live size=8 value=-9223372036854775808 type=int64
	// want: u live size=8 value=42 type=uint
	// want: u8 live size=1 value=255 type=uint8
	// want: u16 live size=2 value=65535 type=uint16
	// want: u32 live size=4 value=4294967295 type=uint32
	// want: u64 live size=8 value=18446744073709551615 type=uint64 printed=u64
	// want: ptr live size=8 value=0xdeadbeef type=uintptr
	// want: b live size=1 value=65 type=uint8
	// want: r live size=4 value=19990 type=int32
	// want: zero live value=0
	_, _, _, _, _, _, _, _ = yes, no, i, i8, i16, i32, i64, u
	_, _, _, _, _, _, _, _ = u8, u16, u32, u64, ptr, b, r, zero
}
