// A random graph of objects, made from a seed, its edges printed: goprobe's graph must be the same.
package main

import (
	"fmt"
	"math/rand"
	"os"
	"runtime"
	"strconv"
	"unsafe"
)

type pair struct{ a, b unsafe.Pointer }
type wide struct{ out [100]unsafe.Pointer }
type huge struct{ out [6000]unsafe.Pointer }
type array []unsafe.Pointer

var (
	roots  [4]unsafe.Pointer
	random *rand.Rand
	nodes  []uintptr
)

//go:noinline
func build(n int) {
	made := make([]unsafe.Pointer, n)
	slots := make([][]unsafe.Pointer, n)
	for i := range made {
		switch k := random.Intn(10); {
		case k < 6:
			p := new(pair)
			made[i], slots[i] = unsafe.Pointer(p), (*[2]unsafe.Pointer)(unsafe.Pointer(p))[:]
		case k < 8:
			p := make(array, 1+random.Intn(60))
			made[i], slots[i] = unsafe.Pointer(unsafe.SliceData(p)), p
		case k < 9:
			p := new(wide)
			made[i], slots[i] = unsafe.Pointer(p), p.out[:]
		default:
			p := new(huge)
			made[i], slots[i] = unsafe.Pointer(p), p.out[:]
		}
	}
	for i, p := range made {
		fmt.Printf("node %d %#x\n", i, uintptr(p))
	}
	edges := random.Intn(3 * n)
	for e := 0; e < edges; e++ {
		from, to := random.Intn(n), random.Intn(n)
		s := slots[from]
		at := random.Intn(len(s))
		if s[at] == nil {
			s[at] = made[to]
			fmt.Printf("edge %d %d\n", from, to)
		}
	}
	for i := range roots {
		if random.Intn(3) > 0 {
			to := random.Intn(n)
			roots[i] = made[to]
			fmt.Printf("root %d\n", to)
		}
	}
}

func main() {
	seed, _ := strconv.ParseInt(os.Args[1], 10, 64)
	n, _ := strconv.Atoi(os.Args[2])
	random = rand.New(rand.NewSource(seed))
	build(n)
	clear()
	fmt.Println("ready")
	os.Stdin.Read(make([]byte, 1))
	runtime.KeepAlive(&roots)
}

// clear overwrites what build has left on the stack.
//
//go:noinline
func clear() {
	var scratch [4096]byte
	for i := range scratch {
		scratch[i] = byte(i)
	}
	os.Args = append(os.Args, string(scratch[:1]))
}
