// A program that overwrites its own memory as it is told: what a corrupt process looks like.
//
// It holds objects of several kinds, parks ten goroutines, turns its garbage collector off, prints
// `one ADDRESS` and `two ADDRESS` (two words to try it on, 0x1111 and 0x2222) and "ready", and obeys the lines on its stdin, one at a time, each answered by `done` (or `bad`):
//
//	word ADDRESS VALUE      eight bytes at ADDRESS become VALUE
//	fill ADDRESS SIZE BYTE  SIZE bytes become BYTE
//	swap ADDRESS ADDRESS    two words change places
//	cycle ADDRESS           the word at ADDRESS points to itself
//	show ADDRESS            the answer is the word at ADDRESS
//
// Numbers are hexadecimal, with 0x or without. Addresses of runtime structures are the test's to
// find. Once told, it allocates nothing, so a broken runtime does not break it.
package main

import (
	"runtime/debug"
	"syscall"
	"unsafe"
)

type node struct {
	next *node
	data [10]int
}

var (
	head   *node
	index  = map[int]*node{}
	labels []string
	block  = make(chan int)
	line   [256]byte
	digits [16]byte
	words  [4]uint64
	pair   = [2]uint64{0x1111, 0x2222}
)

func main() {
	debug.SetGCPercent(-1)
	for i := 0; i < 5000; i++ {
		head = &node{next: head}
		index[i] = head
		labels = append(labels, string(line[:i%100]))
	}
	for i := 0; i < 10; i++ {
		go func() { <-block }()
	}
	tell("one ", uint64(uintptr(unsafe.Pointer(&pair[0]))))
	tell("two ", uint64(uintptr(unsafe.Pointer(&pair[1]))))
	out("ready\n")
	for {
		n := read()
		if n < 0 {
			syscall.Exit(0)
		}
		switch {
		case starts(line[:n], "show ") && numbers(line[:n]) == 1:
			tell("", *at(words[0]))
		case obey(line[:n]):
			out("done\n")
		default:
			out("bad\n")
		}
	}
}

// out and read are plain system calls that tell the scheduler nothing: there may be none any more.
func out(text string) {
	data := unsafe.StringData(text)
	syscall.RawSyscall(syscall.SYS_WRITE, 1, uintptr(unsafe.Pointer(data)), uintptr(len(text)))
}

// tell writes a word and a number, allocating nothing.
func tell(word string, n uint64) {
	out(word)
	i := len(digits)
	for first := true; first || n > 0; first = false {
		i--
		digits[i] = "0123456789abcdef"[n&15]
		n >>= 4
	}
	out("0x")
	out(unsafe.String(&digits[i], len(digits)-i))
	out("\n")
}

func read() int {
	n := 0
	for n < len(line) {
		got, _, err := syscall.RawSyscall(syscall.SYS_READ, 0, uintptr(unsafe.Pointer(&line[n])), 1)
		if err == syscall.EINTR {
			continue
		}
		if err != 0 || got == 0 {
			return -1
		}
		if line[n] == '\n' {
			return n
		}
		n++
	}
	return n
}

//go:noinline
func obey(text []byte) bool {
	count := numbers(text)
	switch {
	case starts(text, "word ") && count == 2:
		*at(words[0]) = words[1]
	case starts(text, "fill ") && count == 3:
		for i := uint64(0); i < words[1]; i++ {
			*(*byte)(unsafe.Pointer(at(words[0] + i))) = byte(words[2])
		}
	case starts(text, "swap ") && count == 2:
		a, b := at(words[0]), at(words[1])
		x, y := *a, *b
		*a, *b = y, x
	case starts(text, "cycle ") && count == 1:
		*at(words[0]) = words[0]
	default:
		return false
	}
	return true
}

func at(address uint64) *uint64 {
	where := uintptr(address)
	return *(**uint64)(unsafe.Pointer(&where))
}

func starts(text []byte, word string) bool {
	return len(text) >= len(word) && string(text[:len(word)]) == word
}

// numbers reads the hexadecimal words after the first into words; -1 where one is none.
func numbers(text []byte) int {
	count, i := 0, 0
	for i < len(text) && text[i] != ' ' {
		i++
	}
	for i < len(text) {
		i++
		if i+1 < len(text) && text[i] == '0' && text[i+1] == 'x' {
			i += 2
		}
		value, seen := uint64(0), 0
		for i < len(text) && text[i] != ' ' {
			d := digit(text[i])
			if d > 15 {
				return -1
			}
			value, seen, i = value<<4|d, seen+1, i+1
		}
		if seen == 0 || count == len(words) {
			return -1
		}
		words[count] = value
		count++
	}
	return count
}

func digit(c byte) uint64 {
	switch {
	case '0' <= c && c <= '9':
		return uint64(c - '0')
	case 'a' <= c && c <= 'f':
		return uint64(c-'a') + 10
	}
	return 99
}
