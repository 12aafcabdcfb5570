"""What becomes an interface's value beside other things of its line: its box is its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.escape.test_one_line import holds
from tests.support.go import matrix

# Behind // stand the objects of each expression of the line, in the order of their columns.
PROGRAM = """\
package main

import "fmt"

type P struct{ X, Y int }
type S struct {
	N string
	A []P
	M map[string]P
}
type Opt[T any] struct {
	v  T
	ok bool
}
type Strings []string

var kept []any

func Some[T any](v T) Opt[T] { return Opt[T]{v, true} }

func (o Opt[T]) Or(d T) T {
	if o.ok {
		return o.v
	}
	return d
}

type Box[T any] struct{ v T }

//go:noinline
func (b *Box[T]) Get() T { return b.v }

//go:noinline
func Mk[T any](v T) *Box[T] { return &Box[T]{v} }

//go:noinline
func Id[T any](v T) T { return v }

//go:noinline
func Same[T any](in []T) []T { return make([]T, len(in)) }

//go:noinline
func Half[T any](in []T) int { return len(in) * 1000 }

//go:noinline
func add(xs ...any) { kept = append(kept[:0], xs...) }

//go:noinline
func run(n int, a []int) {
	add(Same([]int{n, 4}))                                    // 1 0
	add(Same([]P{{n, 1}}), Same([]string{"a", "b"}))          // 1 0 1 0
	add(Id([]int{n, 1}))                                      // 1 1
	add(Id([]P{{n, 1}}), Id([]string{fmt.Sprint(n, 1)}))      // 1 1 1 1 1 0
	add(Id(Id([]int{n})))                                     // 1 1
	add(Id("a" + fmt.Sprint(n)))                              // 1 1 1
	add(Id(n+1000), n+2000)                                   // 1 1
	add(Half([]int{n, 2}))                                    // 1 0
	add(Mk(n).Get(), Mk(P{n, n}).Get())                       // 1 1
	add(string(Id([]byte{65, byte(n), 66})), Id([]byte("hello"))) // 1 1 0 1 1
	add(P{n, n}, &P{n, n})                                    // 1 1
	add(&P{n, n}, P{n, n})                                    // 1 1
	fmt.Println(P{1, n}, &P{n, n})                            // 1 1
	add(string([]byte{65, byte(n)}) + fmt.Sprint(n) + "x")    // 0 0 1 2
	add([]int{n}, append([]int{n}, n))                        // 2 2 1
	add(append([]P(nil), P{n, n}), append([]int{n}, a...))    // 2 2 1
	add(Some([]int{n}).Or([]int{n, n}), Some(n).Or(5))        // 1 1 1 1
	add(S{"n", []P{{n, 1}}, map[string]P{"k": {n, 2}}})       // 1 1 2
	add(Strings{fmt.Sprint(n)}, P{n, 1})                      // 2 1 1
	add(n, struct{ p *P }{&P{n, n}}, []*P{{n, 1}})            // 1 1 2 1
}

func main() {
	kept = make([]any, 0, 8)
	run(5000, []int{1, 2})
}
"""


@pytest.mark.parametrize("go", matrix())
def test_each_box_is_its_expressions(go: str, tmp_path: Path) -> None:
    holds(PROGRAM, go, tmp_path)
