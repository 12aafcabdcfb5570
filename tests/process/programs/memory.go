// Prints where some of its bytes are, then stands.
package main

import (
	"bufio"
	"fmt"
	"os"
	"syscall"
	"unsafe"
)

var text = "Hello, Go!"

func main() {
	block, err := syscall.Mmap(-1, 0, 64<<10, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_PRIVATE|syscall.MAP_ANON)
	if err != nil {
		panic(err)
	}
	for i := 0; i < 32<<10; i++ {
		block[i] = byte(i / 4096)
	}
	// A hole of one page in the middle: pages 4 of 16.
	if _, _, errno := syscall.Syscall(syscall.SYS_MUNMAP, uintptr(unsafe.Pointer(&block[4*4096])), 4096, 0); errno != 0 {
		panic(errno)
	}
	numbers := []uint64{0x1122334455667788, 1<<64 - 1}
	fmt.Printf("text %p\n", unsafe.StringData(text))
	fmt.Printf("block %p\n", &block[0])
	fmt.Printf("numbers %p\n", &numbers[0])
	fmt.Println("ready")
	bufio.NewScanner(os.Stdin).Scan()
	fmt.Println(len(block), numbers)
}
