// Uses signals for its own ends: a hundred SIGUSR1 to itself, SIGPIPE on a closed pipe, SIGCHLD of a
// child, a profiler's SIGPROF, and SIGURG by preemption. It must see every one that it counts.
package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime/pprof"
	"syscall"
)

func main() {
	var profile bytes.Buffer
	if err := pprof.StartCPUProfile(&profile); err != nil {
		panic(err)
	}
	user := make(chan os.Signal, 1)
	signal.Notify(user, syscall.SIGUSR1)
	count := 0
	for i := 0; i < 100; i++ {
		syscall.Kill(syscall.Getpid(), syscall.SIGUSR1)
		<-user
		count++
	}
	r, w, err := os.Pipe()
	if err != nil {
		panic(err)
	}
	r.Close()
	_, broken := w.Write([]byte("x"))
	child := exec.Command("/bin/true").Run()
	spin := 0
	for i := 0; i < 5_000_000; i++ {
		spin += i & 1
	}
	pprof.StopCPUProfile()
	fmt.Println(count, broken != nil, child, spin, profile.Len() > 0)
}
