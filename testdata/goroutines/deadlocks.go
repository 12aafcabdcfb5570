// Goroutines that wait for each other over locks that package-level variables lead to, and others
// that seem to. Each says what is true of it: "dead CIRCLE GOROUTINE" where it can never go on,
// "has LOCK GOROUTINE" where it has a lock that another waits for, "not LOCK GOROUTINE" where it has
// not, whatever it looks like.
package main

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"sync"
	"time"
)

type server struct {
	name  string
	left  sync.Mutex
	right *shelf
	free  sync.Mutex
}

type shelf struct {
	size int
	sync.Mutex
}

var (
	a, b, c, d       sync.Mutex
	self, m, n, k, h sync.Mutex
	helped, asleep   sync.Mutex
	rw, again        sync.RWMutex
	group            sync.WaitGroup
	srv              = &server{name: "srv", right: &shelf{size: 7}}
	cond             = sync.NewCond(&h)
	forever          = make(chan int)
	out              sync.Mutex
	steps            [16]chan bool
	outer            sync.Mutex
)

func id() int {
	line := make([]byte, 64)
	line = line[:runtime.Stack(line, false)]
	n, _ := strconv.Atoi(string(bytes.Fields(line)[1]))
	return n
}

func say(words ...any) {
	out.Lock()
	defer out.Unlock()
	fmt.Println(append(words, id())...)
}

// both lets two goroutines go on once both are here.
func both(n int) {
	select {
	case steps[n] <- true:
	case <-steps[n]:
	}
}

//go:noinline
func ab() {
	say("dead", "plain")
	a.Lock()
	both(0)
	b.Lock()
	b.Unlock()
	a.Unlock()
}

//go:noinline
func ba() {
	say("dead", "plain")
	b.Lock()
	both(0)
	a.Lock()
	a.Unlock()
	b.Unlock()
}

//go:noinline
func cd() {
	say("dead", "deferred")
	c.Lock()
	defer c.Unlock()
	both(1)
	d.Lock()
	defer d.Unlock()
}

//go:noinline
func dc() {
	say("dead", "deferred")
	d.Lock()
	defer d.Unlock()
	both(1)
	c.Lock()
	defer c.Unlock()
}

//go:noinline
func (s *server) leftFirst(n int) int {
	say("dead", "fields")
	s.left.Lock()
	both(2)
	s.right.Lock()
	n += s.right.size
	s.right.Unlock()
	s.left.Unlock()
	return n
}

//go:noinline
func (s *shelf) store(of *server) {
	say("dead", "fields")
	s.Lock()
	defer s.Unlock()
	both(2)
	of.left.Lock()
	of.name += "!"
	of.left.Unlock()
}

//go:noinline
func twice() {
	say("dead", "self")
	self.Lock()
	defer self.Unlock()
	self.Lock()
}

//go:noinline
func reads() {
	say("dead", "rw")
	rw.RLock()
	defer rw.RUnlock()
	both(3)
	m.Lock()
	m.Unlock()
}

//go:noinline
func writes() {
	say("dead", "rw")
	m.Lock()
	both(3)
	rw.Lock()
	rw.Unlock()
	m.Unlock()
}

//go:noinline
func readsTwice() {
	say("dead", "again")
	again.RLock()
	both(4)
	time.Sleep(200 * time.Millisecond) // the writer waits by now
	again.RLock()
	again.RUnlock()
	again.RUnlock()
}

//go:noinline
func writesOnce() {
	say("dead", "again")
	both(4)
	again.Lock()
	again.Unlock()
}

//go:noinline
func waits() {
	say("dead", "group")
	n.Lock()
	defer n.Unlock()
	both(5)
	group.Wait()
}

//go:noinline
func works() {
	defer group.Done()
	say("dead", "group")
	both(5)
	n.Lock()
	n.Unlock()
}

//go:noinline
func sends(to chan int) {
	say("dead", "mixed")
	k.Lock()
	both(6)
	to <- 1
	k.Unlock()
}

//go:noinline
func receives(from chan int) {
	say("dead", "mixed")
	both(6)
	time.Sleep(50 * time.Millisecond)
	k.Lock()
	<-from
	k.Unlock()
}

//go:noinline
func sleeps() {
	say("has", "asleep")
	asleep.Lock()
	both(7)
	time.Sleep(time.Hour)
	asleep.Unlock()
}

//go:noinline
func waitsForSleeper() {
	both(7)
	asleep.Lock()
	asleep.Unlock()
}

//go:noinline
func onCondition() {
	say("not", "h")
	h.Lock()
	both(8)
	cond.Wait()
	h.Unlock()
}

//go:noinline
func underCondition() {
	both(8)
	h.Lock()
	say("has", "h")
	<-forever
	h.Unlock()
}

//go:noinline
func waitsForCondition() {
	h.Lock()
	h.Unlock()
}

//go:noinline
func letGo() { helped.Unlock() }

//go:noinline
func helps() {
	say("not", "helped")
	helped.Lock()
	letGo()
	both(9)
	<-forever
	helped.Lock()
	helped.Unlock()
}

//go:noinline
func takesOver() {
	both(9)
	helped.Lock()
	say("has", "helped")
	both(10)
	<-forever
	helped.Unlock()
}

//go:noinline
func waitsForHelped() {
	both(10)
	helped.Lock()
	helped.Unlock()
}

//go:noinline
func unlocksBelow() {
	say("not", "outer")
	outer.Lock()
	below()
	outer.Unlock()
}

//go:noinline
func below() {
	outer.Unlock()
	both(11)
	<-forever
	outer.Lock()
}

//go:noinline
func takesOuter() {
	both(11)
	outer.Lock()
	say("has", "outer")
	both(12)
	<-forever
	outer.Unlock()
}

//go:noinline
func waitsForOuter() {
	both(12)
	outer.Lock()
	outer.Unlock()
}

// mixed leaves no word of the channel in main's frame: what a thread has in hand counts.
//
//go:noinline
func mixed() {
	to := make(chan int)
	go sends(to)
	go receives(to)
}

// settle waits until nobody but main can go on, however busy the machine is.
func settle() {
	text := make([]byte, 1<<20)
	for calm := 0; calm < 3; calm++ {
		time.Sleep(20 * time.Millisecond)
		all := text[:runtime.Stack(text, true)]
		if bytes.Contains(all, []byte(" [runnable")) || bytes.Count(all, []byte(" [running")) > 1 {
			calm = 0
		}
	}
}

func main() {
	if len(os.Args) > 1 {
		trackers()
	} else {
		circles()
	}
	settle()
	fmt.Println("main", srv.name)
	fmt.Println("ready")
	line := make([]byte, 1)
	os.Stdin.Read(line)
}

func circles() {
	for i := range steps {
		steps[i] = make(chan bool)
	}
	group.Add(1)
	go ab()
	go ba()
	go cd()
	go dc()
	go func() { fmt.Fprintln(os.Stderr, srv.leftFirst(1)) }()
	go srv.right.store(srv)
	go twice()
	go reads()
	go writes()
	go readsTwice()
	go writesOnce()
	go waits()
	go works()
	mixed()
	go sleeps()
	go waitsForSleeper()
	go onCondition()
	go func() { underCondition() }()
	time.Sleep(100 * time.Millisecond)
	go waitsForCondition()
	go helps()
	go takesOver()
	go waitsForHelped()
	go unlocksBelow()
	go takesOuter()
	go waitsForOuter()
	time.Sleep(400 * time.Millisecond)
}

func trackers() {
	deferring, ahead := newTracker(), newTracker()
	go worksFor(deferring)
	go waitsForTracker(deferring)
	go worksAhead(ahead)
	go waitsForAhead(ahead)
	time.Sleep(100 * time.Millisecond)
}

// A group with a Done of its own, as golang.org/x/sync/errgroup has it.
type tracker struct {
	room chan int
	wg   sync.WaitGroup
}

func newTracker() *tracker {
	t := new(tracker)
	t.wg.Add(1)
	return t
}

//go:noinline
func (t *tracker) done() {
	if t.room != nil {
		<-t.room
	}
	t.wg.Done()
}

//go:noinline
func worksFor(t *tracker) {
	defer t.done()
	say("done", "deferring")
	time.Sleep(time.Hour)
}

//go:noinline
func waitsForTracker(t *tracker) { t.wg.Wait() }

//go:noinline
func worksAhead(t *tracker) {
	say("done", "ahead")
	a.Lock()
	time.Sleep(time.Hour)
	t.done()
}

//go:noinline
func waitsForAhead(t *tracker) { t.wg.Wait() }
