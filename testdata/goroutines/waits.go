// Goroutines that wait on all that goroutines wait on; each says before on what:
// "wait NAME ID KIND ADDRESS OPERATION".
package main

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"runtime"
	"sync"
	"syscall"
	"time"
)

type inner struct {
	mu   sync.Mutex
	rw   sync.RWMutex
	jobs chan int
}

type server struct {
	name  string
	queue chan *server
	parts [3]inner
	group sync.WaitGroup
}

var (
	hub     = &server{name: "hub", queue: make(chan *server, 4)}
	global  sync.Mutex
	rw      sync.RWMutex
	printed sync.Mutex
	begun   sync.WaitGroup
	kept    *sync.Cond
)

func id() (n int) {
	buf := make([]byte, 64)
	buf = buf[:runtime.Stack(buf, false)]
	fmt.Sscanf(string(buf), "goroutine %d ", &n)
	return n
}

func say(name, kind string, at any, operation string) {
	printed.Lock()
	fmt.Printf("wait %s %d %s %v %s\n", name, id(), kind, at, operation)
	printed.Unlock()
	begun.Done()
}

func p(at any) string { return fmt.Sprintf("%p", at) }

func start(f func()) {
	begun.Add(1)
	go f()
}

func channels() {
	start(func() {
		say("receiver", "channel", p(hub.queue), "receive")
		<-hub.queue
	})
	full := make(chan string, 1)
	full <- "x"
	start(func() {
		say("sender", "channel", p(full), "send")
		full <- "y"
	})
	a, b := make(chan int), make(chan int8)
	start(func() {
		say("select", "channel", p(a), "receive")
		select {
		case <-a:
		case b <- 1:
		case <-chan int(nil):
		}
	})
	start(func() {
		say("select-b", "channel", p(b), "send")
		select {
		case b <- 2:
		case <-a:
		}
	})
	start(func() {
		var c chan int
		say("nil", "nothing", p(c), "receive")
		<-c
	})
	start(func() {
		say("never", "nothing", "0x0", "select")
		select {}
	})
	start(func() { holder(a) })
	ctx, cancel := context.WithCancel(context.Background())
	_ = cancel
	start(func() {
		say("context", "channel", p(ctx.Done()), "receive")
		<-ctx.Done()
	})
}

// holder has a channel that others wait on, and waits on another.
//
//go:noinline
func holder(mine chan int) {
	other := hub.parts[2].jobs
	say("holder", "channel", p(other), "receive")
	<-other
	mine <- 1
}

func locks() {
	global.Lock()
	start(func() {
		say("mutex", "mutex", p(&global), "lock")
		global.Lock()
	})
	part := &hub.parts[1]
	part.mu.Lock()
	start(func() {
		say("field", "mutex", p(&part.mu), "lock")
		part.mu.Lock()
	})
	rw.Lock()
	start(func() {
		say("rlock", "rwmutex", p(&rw), "read")
		rw.RLock()
	})
	part.rw.RLock()
	start(func() {
		say("wlock", "rwmutex", p(&part.rw), "lock")
		part.rw.Lock()
	})
	hub.group.Add(2)
	start(func() {
		say("group", "wait_group", p(&hub.group), "wait")
		hub.group.Wait()
	})
	kept = sync.NewCond(new(sync.Mutex))
	start(func() {
		say("cond", "condition", p(kept), "wait")
		kept.L.Lock()
		kept.Wait()
	})
}

func times() {
	start(func() {
		say("sleep", "timer", "0x0", "sleep")
		time.Sleep(time.Hour)
	})
	after := time.After(2 * time.Hour)
	start(func() {
		say("after", "channel", p(after), "receive")
		<-after
	})
	ticker := time.NewTicker(3 * time.Hour)
	start(func() {
		say("ticker", "channel", p(ticker.C), "receive")
		<-ticker.C
	})
}

func system() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Println("local listen", listener.Addr())
	start(func() {
		say("accept", "descriptor", "0x0", "read")
		for {
			c, _ := listener.Accept()
			defer c.Close()
		}
	})
	conn, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		panic(err)
	}
	fmt.Println("local dial", conn.LocalAddr())
	start(func() {
		say("read", "descriptor", "0x0", "read")
		conn.Read(make([]byte, 16)) // fewer could share a tiny block with a lock of cycle's
	})
	var ends [2]int
	syscall.Pipe(ends[:])
	fmt.Println("descriptor pipe", ends[0])
	start(func() {
		say("pipe", "syscall", "0x0", "read")
		syscall.Read(ends[0], make([]byte, 77))
	})
}

func cycle() {
	a, b := make(chan int), make(chan int)
	start(func() { first(a, b) })
	start(func() { second(a, b) })
	one, two := new(sync.Mutex), new(sync.Mutex)
	var both sync.WaitGroup
	both.Add(2)
	start(func() { ordered("one", one, two, &both) })
	start(func() { ordered("two", two, one, &both) })
}

//go:noinline
func first(a, b chan int) {
	say("first", "channel", p(a), "receive")
	<-a
	b <- 1
}

//go:noinline
func second(a, b chan int) {
	say("second", "channel", p(b), "receive")
	<-b
	a <- 1
}

//go:noinline
func ordered(name string, one, two *sync.Mutex, both *sync.WaitGroup) {
	one.Lock()
	defer one.Unlock()
	both.Done()
	both.Wait()
	say(name, "mutex", p(two), "lock")
	two.Lock()
	defer two.Unlock()
}

func main() {
	hub.parts[2].jobs = make(chan int)
	channels()
	locks()
	times()
	system()
	cycle()
	begun.Wait()
	fmt.Println("main", id())
	time.Sleep(200 * time.Millisecond)
	fmt.Println("ready")
	bufio.NewReader(os.Stdin).ReadString('\n')
	runtime.KeepAlive(hub)
}
