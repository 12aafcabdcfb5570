// Methods that are called through interfaces, by embedding and as method values: by wrappers of the
// compiler's, into which the optimiser puts the methods' code. Each counts its calls.
package main

import (
	"fmt"
	"sort"
)

var made = map[string]int{}

//go:noinline
func count(name string) { made[name]++ }

type byAge []int

func (b byAge) Len() int           { return len(b) } // nothing but a load is left of it
func (b byAge) Less(i, j int) bool { count("main.byAge.Less"); return b[i] < b[j] }
func (b byAge) Swap(i, j int)      { count("main.byAge.Swap"); b[i], b[j] = b[j], b[i] }

type Inner struct{ n int }

func (i *Inner) Bump(by int) int { count("main.(*Inner).Bump"); i.n += by; return i.n }
func (i Inner) Get(f float64, k int) float64 {
	count("main.Inner.Get")
	return f*float64(i.n) + float64(k)
}

type Outer struct {
	name string
	Inner
}
type Deep struct {
	f float64
	*Inner
}

type bumper interface {
	Bump(by int) int
	Get(f float64, k int) float64
}

type Stack[T any] struct{ items []T }

func (s *Stack[T]) Push(x T) { count("main.(*Stack).Push"); s.items = append(s.items, x) }
func (s Stack[T]) First() T  { count("main.Stack.First"); return s.items[0] }

type pusher[T any] interface {
	Push(T)
	First() T
}

//go:noinline
func use(b bumper) string { return fmt.Sprint(b.Bump(2), b.Get(0.5, 3)) }

//go:noinline
func push[T any](p pusher[T], x T) T { p.Push(x); return p.First() }

//go:noinline
func call(f func(int) int) int { return f(7) }

type code struct{ n int }

func (c code) Error() string { count("main.code.Error"); return fmt.Sprint("code ", c.n) }

//go:noinline
func told(err error) string { return err.Error() }

//go:noinline
func nothing() {}

//go:noinline
func same(n int) int { return n }

func main() {
	for n := 0; n < 3; n++ { // functions of one instruction
		nothing()
		same(n)
	}
	made["main.nothing"], made["main.same"] = 3, 3
	ages := byAge{5, 2, 4, 1, 3}
	sort.Sort(ages)
	in := &Inner{1}
	said := use(in) + use(&Outer{"x", Inner{10}}) + use(Deep{1.5, in}) + use(&Deep{1.5, in})
	said += fmt.Sprint(push[int](&Stack[int]{}, 5), push[string](&Stack[string]{}, "five"))
	get := Inner{4}.Get
	said += fmt.Sprint(call(in.Bump), get(2, 2)) + told(code{5})
	made["main.byAge.Len"] = 1
	_ = said
	for name, calls := range made {
		fmt.Println(name, calls)
	}
}
