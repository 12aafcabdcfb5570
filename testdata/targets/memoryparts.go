// A program whose memory is made of parts of known size: "live", "garbage", "untouched", "mapped",
// "stacks", each a number of MiB.
package main

import (
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"syscall"
	"time"
)

const mib = 1 << 20

var (
	live, untouched [][]byte
	small           []*[64]byte
	garbage         []byte
	mapped          []byte
)

func touched(n int) []byte {
	b := make([]byte, n)
	for i := 0; i < n; i += 4096 {
		b[i] = 1
	}
	return b
}

func deep(n int, up chan bool, wait chan bool) byte {
	var room [1024]byte
	room[n%1024] = byte(n)
	if n == 0 {
		up <- true
		<-wait
		return 0
	}
	return deep(n-1, up, wait) + room[(n+1)%1024]
}

func main() {
	sizes := map[string]int{}
	for i := 1; i+1 < len(os.Args); i += 2 {
		sizes[os.Args[i]], _ = strconv.Atoi(os.Args[i+1])
	}
	for i := 0; i < sizes["live"]; i++ {
		live = append(live, touched(mib))
	}
	for i := 0; i < sizes["small"]*mib/64; i++ {
		small = append(small, &[64]byte{1})
	}
	for n := sizes["untouched"]; n > 0; n -= 8192 { // more at once the kernel may refuse
		untouched = append(untouched, make([]byte, min(n, 8192)*mib))
	}
	runtime.GC()
	debug.SetGCPercent(-1)
	for i := 0; i < sizes["garbage"]; i++ {
		garbage = touched(mib)
	}
	if n := sizes["mapped"]; n > 0 {
		mapped, _ = syscall.Mmap(-1, 0, n*mib, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
		for i := 0; i < len(mapped); i += 4096 {
			mapped[i] = 1
		}
	}
	if n := sizes["free"]; n > 0 {
		for i := 0; i < n; i++ {
			garbage = touched(mib)
		}
		garbage = nil
		debug.SetGCPercent(1000)
		runtime.GC()
	}
	up, wait := make(chan bool), make(chan bool)
	for i := 0; i < sizes["stacks"]; i++ {
		for j := 0; j < 16; j++ { // 64 KiB each, of which a little more than half is used
			go deep(32, up, wait)
			<-up
		}
	}
	time.Sleep(50 * time.Millisecond)
	os.Stdout.WriteString("ready\n")
	var line [1]byte
	os.Stdin.Read(line[:])
	runtime.KeepAlive(live)
}
