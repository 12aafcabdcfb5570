// Pages of every sort that the kernel counts in its own way: zeros that were only read, huge pages,
// pages of files, shared ones. Then it says "ready" and stands as it is.
package main

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"syscall"
)

const size = 8 << 20

var (
	sum  int
	kept [][]byte
)

func mapped(fd, flags, protection, advice int) []byte {
	bytes, err := syscall.Mmap(fd, 0, size, protection, flags)
	if err != nil {
		panic(err)
	}
	if advice != 0 {
		syscall.Madvise(bytes, advice)
	}
	kept = append(kept, bytes)
	return bytes
}

func read(bytes []byte) {
	for i := 0; i < len(bytes); i += 4096 {
		sum += int(bytes[i])
	}
}

func write(bytes []byte) {
	for i := 0; i < len(bytes); i += 4096 {
		bytes[i] = 1
	}
}

func main() {
	debug.SetGCPercent(-1)
	file, err := os.Create(os.Args[1])
	if err != nil {
		panic(err)
	}
	file.Truncate(size)
	const anonymous = syscall.MAP_PRIVATE | syscall.MAP_ANON
	const both = syscall.PROT_READ | syscall.PROT_WRITE
	read(mapped(-1, anonymous, both, 0))
	write(mapped(-1, anonymous, both, 0)[:size/2])
	read(mapped(-1, anonymous, both, syscall.MADV_HUGEPAGE))
	write(mapped(-1, anonymous, both, syscall.MADV_HUGEPAGE)[:size/2+4096])
	write(mapped(-1, syscall.MAP_SHARED|syscall.MAP_ANON, both, 0)[:size/2])
	read(mapped(int(file.Fd()), syscall.MAP_PRIVATE, both, 0)[:size/2])
	write(mapped(int(file.Fd()), syscall.MAP_PRIVATE, both, 0)[:size/4])
	write(mapped(int(file.Fd()), syscall.MAP_SHARED, both, 0)[:size/2])
	runtime.GC()
	debug.FreeOSMemory()
	fmt.Println("ready")
	os.Stdin.Read(make([]byte, 1))
	fmt.Println(sum)
}
