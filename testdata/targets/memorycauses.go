// A program that is large for one cause, named by its argument.
package main

import (
	"os"
	"runtime"
	"runtime/debug"
	"syscall"
	"time"
	"unsafe"
)

const mib = 1 << 20

var (
	kept   [][]byte
	small  []*[64]byte
	sparse [][]byte
	sink   byte
)

func touched(b []byte) []byte {
	for i := 0; i < len(b); i += 4096 {
		b[i] = 1
	}
	return b
}

func deep(n int, up, wait chan bool) byte {
	var room [1024]byte
	room[n%1024] = byte(n)
	if n == 0 {
		up <- true
		<-wait
		return 0
	}
	return deep(n-1, up, wait) + room[(n+1)%1024]
}

func mapped(fd, size, flags int) []byte {
	b, err := syscall.Mmap(fd, 0, size, syscall.PROT_READ|syscall.PROT_WRITE, flags)
	if err != nil {
		println("mmap", err.Error())
		os.Exit(1)
	}
	return b
}

func file(path string, size int) int {
	fd, err := syscall.Open(path, syscall.O_RDWR|syscall.O_CREAT, 0o600)
	if err != nil || syscall.Ftruncate(fd, int64(size)) != nil {
		println("file")
		os.Exit(1)
	}
	syscall.Unlink(path)
	return fd
}

var causes = map[string]func(){
	"nothing": func() {},
	"live": func() {
		for i := 0; i < 64; i++ {
			kept = append(kept, touched(make([]byte, mib)))
		}
		runtime.GC()
	},
	"gogc": func() {
		debug.SetGCPercent(-1)
		for i := 0; i < 100; i++ {
			sink = touched(make([]byte, mib))[0]
		}
	},
	"limit": func() { // lower than what lives
		for i := 0; i < 64; i++ {
			kept = append(kept, touched(make([]byte, mib)))
		}
		debug.SetMemoryLimit(48 * mib)
		for end := time.Now().Add(time.Second); time.Now().Before(end); {
			sink = touched(make([]byte, 100_000))[0]
		}
	},
	"stacks": func() {
		up, wait := make(chan bool), make(chan bool)
		for i := 0; i < 600; i++ {
			go deep(60, up, wait)
			<-up
		}
	},
	"goroutines": func() {
		up, wait := make(chan bool), make(chan bool)
		for i := 0; i < 20000; i++ {
			go deep(0, up, wait)
			<-up
		}
	},
	"fragments": func() { // nine of ten freed, all over
		for i := 0; i < mib; i++ {
			small = append(small, &[64]byte{1})
		}
		for i := range small {
			if i%10 != 0 {
				small[i] = nil
			}
		}
		runtime.GC()
		runtime.GC()
	},
	"huge": func() { // two pages of each huge one are used
		const huge = 2 * mib
		b := mapped(-1, 100*huge, syscall.MAP_ANON|syscall.MAP_PRIVATE)
		at := uintptr(unsafe.Pointer(&b[0]))
		first := int((at+huge-1)/huge*huge - at)
		syscall.Madvise(b, syscall.MADV_HUGEPAGE)
		for i := first; i+huge <= len(b); i += huge {
			b[i] = 1
		}
		sparse = append(sparse, b)
	},
	"arena": func() { // freed at once, and no collection is due for long
		big := touched(make([]byte, 200*mib))
		kept = append(kept, touched(make([]byte, 4*mib)))
		sink = big[0]
		big = nil
		runtime.GC()
	},
	"threads": func() {
		ready := make(chan bool)
		for i := 0; i < 400; i++ {
			go func() {
				runtime.LockOSThread()
				ready <- true
				var line [1]byte
				pipe := make([]int, 2)
				syscall.Pipe(pipe)
				syscall.Syscall(syscall.SYS_READ, uintptr(pipe[0]), uintptr(unsafe.Pointer(&line[0])), 1)
			}()
			<-ready
		}
	},
	"pagetables": func() { // one page in each GiB: two tables of its own for each
		const gib = 1024 * mib
		b := mapped(-1, 4096*gib, syscall.MAP_ANON|syscall.MAP_PRIVATE|syscall.MAP_NORESERVE)
		syscall.Madvise(b, syscall.MADV_NOHUGEPAGE)
		for at := 0; at < len(b); at += gib {
			b[at] = 1
		}
		sparse = append(sparse, b)
	},
	"mapped": func() {
		sparse = append(sparse, touched(mapped(-1, 64*mib, syscall.MAP_ANON|syscall.MAP_PRIVATE)))
	},
	"file": func() {
		fd := file(os.Args[2]+"/data.bin", 64*mib)
		sparse = append(sparse, touched(mapped(fd, 64*mib, syscall.MAP_SHARED)))
	},
	"copied": func() { // private pages of a file, written: nobody can take them back
		fd := file(os.Args[2]+"/data.bin", 64*mib)
		sparse = append(sparse, touched(mapped(fd, 64*mib, syscall.MAP_PRIVATE)))
	},
	"shared": func() {
		sparse = append(sparse, touched(mapped(-1, 64*mib, syscall.MAP_ANON|syscall.MAP_SHARED)))
	},
	"tmpfs": func() {
		fd := file("/dev/shm/goprobe-memorycauses", 64*mib)
		sparse = append(sparse, touched(mapped(fd, 64*mib, syscall.MAP_SHARED)))
	},
	"hugetlb": func() {
		sparse = append(sparse, touched(mapped(-1, 16*mib, syscall.MAP_ANON|syscall.MAP_PRIVATE|0x40000)))
	},
	"swapped": func() {
		b := touched(mapped(-1, 32*mib, syscall.MAP_ANON|syscall.MAP_PRIVATE))
		syscall.Madvise(b, 21) // MADV_PAGEOUT
		sparse = append(sparse, b)
	},
	"swappedheap": func() {
		for i := 0; i < 32; i++ {
			kept = append(kept, touched(make([]byte, mib)))
		}
		runtime.GC()
		for _, b := range kept {
			at := (uintptr(unsafe.Pointer(&b[0])) + 4095) &^ 4095
			syscall.Syscall(syscall.SYS_MADVISE, at, mib-4096, 21)
		}
	},
}

func main() {
	causes[os.Args[1]]()
	time.Sleep(50 * time.Millisecond)
	os.Stdout.WriteString("ready\n")
	var line [1]byte
	os.Stdin.Read(line[:])
	runtime.KeepAlive(kept)
}
