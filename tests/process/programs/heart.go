// A program whose work shows every disturbance: its results, its signals and its heartbeat.
//
// Lines on standard input are questions: "beat" tells the longest gap between two heartbeats
// (microseconds) since the last "beat", "check" whether all work was right so far.
package main

import (
	"bufio"
	"crypto/sha256"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"sync/atomic"
	"syscall"
	"time"
)

var rounds, wrong, signals atomic.Int64

func chain(seed byte) [32]byte {
	sum := sha256.Sum256([]byte{seed})
	for i := 0; i < 200; i++ {
		sum = sha256.Sum256(sum[:])
	}
	return sum
}

func work(seed byte) {
	want := chain(seed)
	for {
		if got := chain(seed); got != want {
			wrong.Add(1)
		}
		rounds.Add(1)
		time.Sleep(100 * time.Microsecond)
	}
}

// relay passes a counter round through channels: nothing may be lost or doubled.
func relay() {
	in := make(chan int)
	out := in
	for i := 0; i < 20; i++ {
		next := make(chan int)
		go func(from, to chan int) {
			for v := range from {
				to <- v + 1
			}
		}(out, next)
		out = next
	}
	for i := 0; ; i++ {
		in <- i
		if got := <-out; got != i+20 {
			wrong.Add(1)
		}
		rounds.Add(1)
	}
}

// pipe moves bytes through the kernel with blocking system calls.
func pipe() {
	var ends [2]int
	if err := syscall.Pipe(ends[:]); err != nil {
		panic(err)
	}
	go func() {
		for i := 0; ; i++ {
			if n, err := syscall.Write(ends[1], []byte{byte(i)}); n != 1 || err != nil {
				wrong.Add(1)
			}
			time.Sleep(200 * time.Microsecond)
		}
	}()
	buffer := make([]byte, 1)
	for i := 0; ; i++ {
		if n, err := syscall.Read(ends[0], buffer); n != 1 || err != nil || buffer[0] != byte(i) {
			wrong.Add(1)
		}
	}
}

// signalling sends itself one signal after the other: each must arrive.
func signalling() {
	arrived := make(chan os.Signal, 1)
	signal.Notify(arrived, syscall.SIGUSR1)
	for {
		if err := syscall.Kill(os.Getpid(), syscall.SIGUSR1); err != nil {
			wrong.Add(1)
		}
		select {
		case <-arrived:
			signals.Add(1)
		case <-time.After(20 * time.Second):
			wrong.Add(1)
		}
		time.Sleep(50 * time.Microsecond)
	}
}

func garbage() {
	keep := make([][]byte, 100)
	for i := 0; ; i++ {
		keep[i%len(keep)] = make([]byte, 1+i%4000)
		if i%100 == 0 {
			time.Sleep(100 * time.Microsecond)
		}
	}
}

func main() {
	for i := 0; i < 4; i++ {
		go work(byte(i))
	}
	for i := 0; i < 3; i++ {
		go func() {
			runtime.LockOSThread()
			time.Sleep(time.Hour)
		}()
	}
	go relay()
	go pipe()
	go signalling()
	go garbage()
	var longest atomic.Int64
	go func() {
		for last := time.Now(); ; {
			time.Sleep(time.Millisecond)
			now := time.Now()
			if gap := now.Sub(last).Microseconds(); gap > longest.Load() {
				longest.Store(gap)
			}
			last = now
		}
	}()
	time.Sleep(50 * time.Millisecond)
	fmt.Println("ready")
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		switch lines.Text() {
		case "beat":
			fmt.Println("beat", longest.Swap(0))
		case "check":
			fmt.Println("check", wrong.Load(), rounds.Load(), signals.Load())
		}
	}
}
