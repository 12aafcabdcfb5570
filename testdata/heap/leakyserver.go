// A server that leaks: 16 bytes of each header keep 64 KiB, nobody wakes those who subscribe.
package main

import (
	"bytes"
	"context"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"
)

type Session struct {
	ID      string
	User    *User
	Payload []byte
	created time.Time
	tags    map[string]string
}
type User struct {
	Name  string
	Email string
	Prefs map[string]any
}
type Store struct {
	mu       sync.RWMutex
	sessions map[string]*Session
	byUser   map[*User][]*Session
	lru      []*Session
}

var store = &Store{sessions: map[string]*Session{}, byUser: map[*User][]*Session{}}
var headers [][]byte

type event struct {
	name string
	data *bytes.Buffer
}

var bus = make(chan event, 100)

func subscribe(ctx context.Context, id int) {
	ch := make(chan event)
	go func() {
		for e := range ch { // leaks: nobody closes or sends
			_ = e
		}
	}()
	select {
	case <-ctx.Done():
	case <-time.After(10 * time.Millisecond):
	}
}

func handler(w http.ResponseWriter, r *http.Request) {
	id := r.URL.Query().Get("id")
	u := &User{Name: "user-" + id, Email: id + "@example.com", Prefs: map[string]any{"theme": "dark", "n": len(id)}}
	s := &Session{ID: id, User: u, Payload: make([]byte, 2048), created: time.Now(), tags: map[string]string{"a": id}}
	big := bytes.Repeat([]byte("x"), 64<<10)
	store.mu.Lock()
	store.sessions[id] = s
	store.byUser[u] = append(store.byUser[u], s)
	store.lru = append(store.lru, s)
	headers = append(headers, big[:16])
	store.mu.Unlock()
	go subscribe(context.Background(), len(id))
	fmt.Fprintln(w, "ok", strings.ToUpper(id))
}

func main() {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	http.HandleFunc("/", handler)
	fmt.Println(os.Getpid(), ln.Addr())
	var mu sync.Mutex
	mu.Lock()
	for i := 0; i < 3; i++ {
		go func() { mu.Lock(); defer mu.Unlock() }()
	}
	go func() {
		c := &http.Client{}
		for i := 0; i < 300; i++ {
			resp, err := c.Get(fmt.Sprintf("http://%s/?id=s%d", ln.Addr(), i))
			if err == nil {
				var b bytes.Buffer
				b.ReadFrom(resp.Body)
				resp.Body.Close()
			}
		}
		fmt.Println("loaded")
	}()
	log.Fatal(http.Serve(ln, nil))
}
