// A server that leaks in four ways, for the tour in the README:
//
//	scripts/goprobe heap leaky --retained
//
//  1. Sessions are never taken out of their map, and each keeps its history.
//  2. Page titles are 16 bytes of a 64 KiB page, and each keeps the whole page.
//  3. Subscribers wait for events that nobody will ever send.
//  4. Timers that were never stopped keep what they would have closed.
//
// It serves itself `-requests` requests, prints "ready", and waits until its standard input ends.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"sync"
	"time"
)

type Visit struct {
	Path string
	At   time.Time
}

type Session struct {
	ID      string
	history []*Visit
}

type Store struct {
	mu       sync.Mutex
	sessions map[string]*Session
}

type upload struct {
	name string
	data []byte
}

var (
	store   = &Store{sessions: map[string]*Session{}}
	titles  [][]byte
	titling sync.Mutex
)

// visit is leak 1: there is no way out of the map.
func (s *Store) visit(id, path string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	session := s.sessions[id]
	if session == nil {
		session = &Session{ID: id}
		s.sessions[id] = session
	}
	session.history = append(session.history, &Visit{path, time.Now()})
}

// title is leak 2: a slice of a page keeps the page.
func title(page []byte) {
	titling.Lock()
	defer titling.Unlock()
	titles = append(titles, page[:16])
}

// subscribe is leak 3: nobody else has the channel.
func subscribe() {
	events := make(chan string)
	go func() {
		for event := range events {
			fmt.Println(event)
		}
	}()
}

// expire is leak 4: the timer runs for an hour, whether or not the upload is done.
func expire(u *upload) {
	time.AfterFunc(time.Hour, func() { u.data = nil })
}

func handle(w http.ResponseWriter, r *http.Request) {
	id := r.URL.Query().Get("id")
	store.visit("user "+id, r.URL.Path)
	page := bytes.Repeat([]byte("<p>page</p>"), 64<<10/11)
	title(page)
	subscribe()
	expire(&upload{name: id, data: make([]byte, 8<<10)})
	w.Write(page[:64])
}

func main() {
	requests := flag.Int("requests", 500, "how many requests it serves itself")
	flag.Parse()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	go http.Serve(listener, http.HandlerFunc(handle))
	for i := 0; i < *requests; i++ {
		answer, err := http.Get(fmt.Sprintf("http://%s/cart?id=%d", listener.Addr(), i%100))
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		io.Copy(io.Discard, answer.Body)
		answer.Body.Close()
	}
	runtime.GC()
	fmt.Println("ready", listener.Addr())
	io.Copy(io.Discard, os.Stdin)
}
