// Values whose types have a way of their own to be read: what main prints of each is what it stands
// for, as the standard library has it.
package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"math/rand"
	"net"
	"net/netip"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

type Color int8

const (
	Red Color = iota - 1
	Green
	Blue
)

type Access uint

const (
	Read Access = 1 << iota
	Write
	Execute
)

type plain int

type server struct{ name string }

func (s *server) run() {}

var (
	durations [64]time.Duration
	times     [64]time.Time
	bigs      [64]*big.Int
	ips       [64]net.IP
	addrs     [64]netip.Addr
	ports     [64]netip.AddrPort
	modes     [64]fs.FileMode
	texts     [64][]byte
	colors    = [4]Color{Red, Green, Blue, 7}
	access    = [4]Access{Read, Read | Execute, 0, 8}
	bare      plain
	builder   strings.Builder
	buffer    bytes.Buffer
	count     atomic.Int64
	flag      atomic.Bool
	held      atomic.Value
	entries   sync.Map
	none      sync.Map
	kind      reflect.Type
	boxed     any
	list      []time.Duration
	byName    map[string]time.Duration
	running   func()
	locked    sync.Mutex
	group     sync.WaitGroup
	once      sync.Once
	whole     struct {
		When  time.Time
		Every time.Duration
	}
)

//go:noinline
func see() int { running(); return len(colors) + len(access) + int(colors[r0]) + int(access[r0]) + int(bare) + len(list) + len(byName) }

var r0 int

func main() {
	r := rand.New(rand.NewSource(7))
	for i := range durations {
		durations[i] = time.Duration(r.Uint64() >> r.Intn(64))
		if i%7 == 0 {
			durations[i] = time.Duration(r.Intn(100)) * time.Minute
		}
		at := time.Unix(r.Int63n(1<<34)-1<<33, r.Int63n(1e9))
		if i%8 == 0 {
			at = time.Unix(r.Int63n(1<<34), 0)
		}
		times[i] = at
		raw := make([]byte, r.Intn(40))
		r.Read(raw)
		bigs[i] = new(big.Int).SetBytes(raw)
		if i%2 == 0 {
			bigs[i].Neg(bigs[i])
		}
		ip := make([]byte, []int{4, 16}[i%2])
		r.Read(ip)
		if i%16 == 1 {
			copy(ip, append(make([]byte, 10), 0xff, 0xff))
		}
		if i%16 == 3 {
			copy(ip[2:], make([]byte, 8))
		}
		ips[i] = ip
		addrs[i], _ = netip.AddrFromSlice(ip)
		ports[i] = netip.AddrPortFrom(addrs[i], uint16(r.Intn(1<<16)))
		modes[i] = fs.FileMode(r.Uint32()) >> r.Intn(32)
		texts[i] = []byte(fmt.Sprintf("text é %d\n\"", i))
	}
	times[1], times[2] = time.Time{}, time.Now()
	durations[1] = 0
	addrs[5] = netip.MustParseAddr("fe80::1%eth0")
	addrs[6] = netip.Addr{}
	builder.WriteString("built")
	buffer.WriteString("a buffer")
	buffer.ReadByte()
	buffer.ReadByte()
	count.Store(-42)
	flag.Store(true)
	held.Store("value")
	for i := 0; i < 100; i++ {
		entries.Store(i, fmt.Sprint(i))
	}
	for i := 0; i < 100; i++ {
		if i%10 != 0 {
			entries.Delete(i)
		}
	}
	entries.Store("k", nil)
	kind = reflect.TypeOf(errors.New)
	boxed = 1500 * time.Millisecond
	list = []time.Duration{1, time.Second}
	byName = map[string]time.Duration{"a": time.Hour}
	s := &server{"first"}
	running = s.run
	locked.Lock()
	group.Add(3)
	once.Do(func() {})
	whole.When, whole.Every = times[3], time.Minute
	for i := range durations {
		fmt.Println("duration", i, durations[i])
		at := times[i].UTC().Round(0).Format("2006-01-02 15:04:05.999999999")
		fmt.Println("time", i, at+" UTC")
		fmt.Println("big", i, bigs[i])
		fmt.Println("ip", i, ips[i])
		fmt.Println("addr", i, addrs[i])
		fmt.Println("port", i, ports[i])
		fmt.Println("mode", i, modes[i])
		fmt.Printf("text %d %q\n", i, texts[i])
	}
	fmt.Println("end")
	if _, ok := none.Load("x"); ok || boxed == nil || kind == nil {
		return
	}
	println(see(), whole.Every, flag.Load(), held.Load(), count.Load())
}
