// Strings: concatenation and conversion.
package main

import (
	"strings"
)

var (
	str     string
	raw     []byte
	runes   []rune
	total   int
	short   = "short"
	long    = strings.Repeat("long text ", 5)
	nothing = ""
	one     = "x"
	table   = map[string]int{"short": 1} // want: confirmed_heap 1
)

//go:noinline
func length(s string) int { return len(s) }

//go:noinline
func lengthBytes(b []byte) int { return len(b) }

//go:noinline
func concat2(a, b string) string {
	return a + b // want: confirmed_heap 3
}

//go:noinline
func concat3(a, b string) string {
	return a + "-" + b // want: confirmed_heap 3
}

//go:noinline
func concat6(a, b string) string {
	return a + b + a + b + a + b // want: confirmed_heap 3
}

//go:noinline
func concatWithNothing(a, b string) string {
	return a + b // want: no_copy 3
}

//go:noinline
func concatLocalShort(a, b string) int {
	return length(a + b) // want: confirmed_stack 3
}

//go:noinline
func concatLocalLong(a, b string) int {
	return length(a + b) // want: spilled_to_heap 3
}

//go:noinline
func concatConstant() string {
	return "a" + "b" + "c"
}

//go:noinline
func bytesToString(b []byte) string {
	return string(b) // want: confirmed_heap 3
}

//go:noinline
func bytesToStringLocal(b []byte) int {
	return length(string(b)) // want: confirmed_stack 3
}

//go:noinline
func oneByteToString(b []byte) string {
	return string(b) // want: static 3
}

//go:noinline
func noBytesToString(b []byte) string {
	return string(b) // want: no_copy 3
}

//go:noinline
func lookup(b []byte) int {
	return table[string(b)] // want: no_copy
}

//go:noinline
func compare(b []byte) bool {
	return string(b) == "short" // want: no_copy
}

//go:noinline
func stringToBytes(s string) []byte {
	return []byte(s) // want: confirmed_heap 3
}

//go:noinline
func stringToBytesLocal(s string) int {
	b := []byte(s) // want: confirmed_stack 3
	b[0] = 'y'
	return lengthBytes(b)
}

//go:noinline
func readOnly(s string) int {
	return lengthBytes([]byte(s)) // want: spilled_to_heap 3 @1.21; no_copy @1.24-
}

//go:noinline
func rangeBytes(s string) int {
	n := 0
	for _, c := range []byte(s) { // want: no_copy
		n += int(c)
	}
	return n
}

//go:noinline
func constantToBytes() []byte {
	return []byte("constant") // want: confirmed_heap 3
}

//go:noinline
func stringToRunes(s string) []rune {
	return []rune(s) // want: confirmed_heap 3
}

//go:noinline
func stringToRunesLocal(s string) int {
	r := []rune(s) // want: confirmed_stack 3
	r[0] = 'z'
	return sumRunes(r)
}

//go:noinline
func sumRunes(r []rune) int {
	n := 0
	for _, c := range r {
		n += int(c)
	}
	return n
}

//go:noinline
func runesToString(r []rune) string {
	return string(r) // want: confirmed_heap 3
}

//go:noinline
func runeToString(r rune) string {
	return string(r) // want: confirmed_heap 3
}

//go:noinline
func runeToStringLocal(r rune) int {
	return length(string(r)) // want: confirmed_stack 3
}

//go:noinline
func builder(n int) string {
	var b strings.Builder
	for i := 0; i < n; i++ {
		b.WriteByte('x') // want: unpredicted 6 @1.21-1.24; static; confirmed_heap 6 @1.25-
	}
	return b.String()
}

//go:noinline
func concatBytes(a, b string) []byte {
	return []byte(a + b) // want: confirmed_heap 3; spilled_to_heap 3 @1.21; elided @1.24-
}

//go:noinline
func appendConcat(b []byte, s string) []byte {
	return append(b, s+"!"...) // want: unpredicted 3 @1.21-1.24; confirmed_stack 3; confirmed_heap 3 @1.25-
}

//go:noinline
func convertInConcat(b []byte) string {
	return "<" + string(b) + ">" // want: no_copy; confirmed_heap 3
}

func main() {
	for i := 0; i < 3; i++ {
		str = concat2(short, long)
		str = concat3(short, long)
		str = concat6(short, long)
		str = concatWithNothing(long, nothing)
		total += concatLocalShort(short, one) + concatLocalLong(short, long)
		str = concatConstant()
		raw = stringToBytes(long)
		str = bytesToString(raw)
		total += bytesToStringLocal(raw[:8])
		str = oneByteToString(raw[:1])
		str = noBytesToString(raw[:0])
		total += lookup(raw[:5])
		if compare(raw) {
			total++
		}
		total += stringToBytesLocal(short) + readOnly(long) + rangeBytes(long)
		raw = constantToBytes()
		runes = stringToRunes(short)
		total += stringToRunesLocal(short)
		str = runesToString(runes)
		str = runeToString('€')
		total += runeToStringLocal('€')
		str = builder(9)
		raw = concatBytes(short, long)
		raw = appendConcat(raw[:0:0], short)
		str = convertInConcat(raw)
	}
	println(total, len(str), len(raw), len(runes))
}
