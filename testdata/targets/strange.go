// A program with memory as few have it: its own executable mapped as data, files mapped twice or
// deleted, shared and huge pages, giant reservations, holes, thousands of pages apart. It says what
// it put where, and stands still.
package main

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"syscall"
	"unsafe"
)

const (
	page       = 4096
	mapFixed   = 0x100000 // MAP_FIXED_NOREPLACE
	hugePage   = 14       // MADV_HUGEPAGE
	mapHuge    = 0x40000  // MAP_HUGETLB
	dontNeed   = 4        // MADV_DONTNEED
	memfd      = 319      // SYS_MEMFD_CREATE
	shmget     = 29
	shmat      = 30
	shmctl     = 31
	anonymous  = syscall.MAP_PRIVATE | syscall.MAP_ANON
	noReserve  = syscall.MAP_NORESERVE
	readWrite  = syscall.PROT_READ | syscall.PROT_WRITE
	scattered  = 4096 // pages, every other one touched
	lowAddress = 0x10000000
)

var held []byte

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func mmap(at, size uintptr, prot, flags, fd int) uintptr {
	found, _, errno := syscall.Syscall6(syscall.SYS_MMAP, at, size, uintptr(prot), uintptr(flags), uintptr(fd), 0)
	if errno != 0 {
		panic(errno)
	}
	return found
}

func bytes(at uintptr, size int) []byte {
	// Outside of Go's heap: not the kind of pointer that vet warns of.
	return unsafe.Slice(*(**byte)(unsafe.Pointer(&at)), size)
}

func touch(at uintptr, pages, step int) {
	memory := bytes(at, pages*page)
	for i := 0; i < pages; i += step {
		memory[i*page] = 1
	}
}

func say(name string, at uintptr) { fmt.Printf("%s 0x%x\n", name, at) }

func call(number, a, b, c uintptr) uintptr {
	found, _, errno := syscall.Syscall(number, a, b, c)
	if errno != 0 {
		panic(errno)
	}
	return found
}

func files(folder string) {
	exe, err := os.Open("/proc/self/exe")
	must(err)
	info, err := exe.Stat()
	must(err)
	whole := uintptr(info.Size())
	self := int(exe.Fd())
	say("exe", mmap(0, whole, syscall.PROT_READ, syscall.MAP_PRIVATE, self))
	say("exehead", mmap(0, 2*page, syscall.PROT_READ, syscall.MAP_PRIVATE, self))
	say("exelow", mmap(lowAddress, whole, syscall.PROT_READ, syscall.MAP_PRIVATE|mapFixed, self))
	say("exeshared", mmap(0, 16*page, syscall.PROT_READ, syscall.MAP_SHARED, self))

	data, err := os.Create(folder + "/twice")
	must(err)
	must(data.Truncate(16 * page))
	private := mmap(0, 16*page, readWrite, syscall.MAP_PRIVATE, int(data.Fd()))
	shared := mmap(0, 16*page, readWrite, syscall.MAP_SHARED, int(data.Fd()))
	touch(private, 8, 1)
	touch(shared, 4, 1)
	say("private", private)
	say("shared", shared)

	gone, err := os.Create(folder + "/gone")
	must(err)
	must(gone.Truncate(4 * page))
	deleted := mmap(0, 4*page, readWrite, syscall.MAP_SHARED, int(gone.Fd()))
	touch(deleted, 2, 1)
	must(os.Remove(folder + "/gone"))
	say("deleted", deleted)
}

func shared() {
	zero := mmap(0, 8*page, readWrite, syscall.MAP_SHARED|syscall.MAP_ANON, -1)
	touch(zero, 3, 1)
	say("sharedanon", zero)

	name := [8]byte{'c', 'r', 'a', 't', 'e'}
	fd := call(memfd, uintptr(unsafe.Pointer(&name)), 0, 0)
	must(syscall.Ftruncate(int(fd), 8*page))
	memory := mmap(0, 8*page, readWrite, syscall.MAP_SHARED, int(fd))
	touch(memory, 5, 1)
	say("memfd", memory)

	id := call(shmget, 0, 4*page, 0o1600)
	segment := call(shmat, id, 0, 0)
	touch(segment, 1, 1)
	call(shmctl, id, 0, 0)
	say("sysv", segment)
}

func private() {
	apart := mmap(0, scattered*page, readWrite, anonymous|noReserve, -1)
	touch(apart, scattered, 2)
	say("scattered", apart)

	huge := mmap(0, 8<<20, readWrite, anonymous, -1)
	aligned := (huge + 2<<20 - 1) &^ (2<<20 - 1)
	syscall.Syscall(syscall.SYS_MADVISE, aligned, 4<<20, hugePage)
	touch(aligned, 4<<20/page, 256)
	say("huge", aligned)

	// Few machines set pages of hugetlbfs aside.
	found, _, errno := syscall.Syscall6(syscall.SYS_MMAP, 0, 4<<20, readWrite, anonymous|mapHuge, ^uintptr(0), 0)
	if errno != 0 {
		found = 0
	} else {
		touch(found, 1, 1)
	}
	say("hugetlb", found)

	say("giant", mmap(0, 1<<40, syscall.PROT_NONE, anonymous|noReserve, -1))
	say("empty", mmap(0, 1<<36, readWrite, anonymous|noReserve, -1))

	holes := mmap(0, 64*page, readWrite, anonymous, -1)
	touch(holes, 64, 1)
	for i := uintptr(1); i < 64; i += 8 {
		call(syscall.SYS_MPROTECT, holes+i*page, page, syscall.PROT_NONE)
	}
	call(syscall.SYS_MADVISE, holes+32*page, 4*page, dontNeed)
	say("holes", holes)

	zeros := mmap(0, 64*page, readWrite, anonymous, -1)
	sum := 0
	for i := 0; i < 64; i++ {
		sum += int(bytes(zeros, 64*page)[i*page])
	}
	say("zeros", zeros+uintptr(sum))

	code := mmap(0, page, syscall.PROT_READ|syscall.PROT_EXEC, anonymous, -1)
	say("jit", code)
}

// A page that nobody may touch, in the middle of an object without pointers.
func hole() {
	held = make([]byte, 1<<20)
	at := (uintptr(unsafe.Pointer(&held[len(held)/2])) + page - 1) &^ (page - 1)
	call(syscall.SYS_MPROTECT, at, page, syscall.PROT_NONE)
	say("heaphole", at)
}

func main() {
	debug.SetGCPercent(-1)
	files(os.Args[1])
	shared()
	private()
	hole()
	runtime.GC()
	fmt.Println("ready")
	bufio.NewScanner(os.Stdin).Scan()
	runtime.KeepAlive(held)
}
