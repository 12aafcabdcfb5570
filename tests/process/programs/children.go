// Runs one child after the other and waits for any child, so that a stranger would be seen.
package main

import (
	"bufio"
	"fmt"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
)

var waited, strange, chlds atomic.Int64

func main() {
	seen := make(chan os.Signal, 100)
	signal.Notify(seen, syscall.SIGCHLD)
	go func() {
		for range seen {
			chlds.Add(1)
		}
	}()
	if len(os.Args) < 2 {
		go func() {
			for {
				pid, err := syscall.ForkExec("/proc/self/exe", []string{"child", "end"}, nil)
				if err != nil {
					panic(err)
				}
				reap(pid)
			}
		}()
	} else if os.Args[1] == "end" {
		return
	} else {
		go func() { // no children at all: waiting for one must always fail
			for {
				if pid, err := syscall.Wait4(-1, nil, 0, nil); err != syscall.ECHILD {
					fmt.Fprintln(os.Stderr, "stranger", pid, err)
					strange.Add(1)
				}
				waited.Add(1)
			}
		}()
	}
	fmt.Println("ready")
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		fmt.Println("check", strange.Load(), waited.Load(), chlds.Load())
	}
}

func reap(pid int) {
	var status syscall.WaitStatus
	for {
		got, err := syscall.Wait4(-1, &status, 0, nil)
		if err == syscall.EINTR {
			continue
		}
		if got != pid || err != nil || !status.Exited() || status.ExitStatus() != 0 {
			fmt.Fprintln(os.Stderr, "stranger", got, pid, err, status)
			strange.Add(1)
		}
		if got == pid || err != nil {
			waited.Add(1)
			return
		}
	}
}
