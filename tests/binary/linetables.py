"""A Go program made for line-table tests, in every build that users ship."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from tests.support.go import build, has_gcc, matrix

SOURCE = """package main

import (
	"fmt"
	"os"
	"runtime"
	"sort"
	"unsafe"
)

type Shape interface{ Area() float64 }
type Square struct{ side float64 }

func (q Square) Area() float64    { return multiply(q.side) }
func (q *Square) Grow(n float64)  { q.side += n; show(q.side) }
func multiply(x float64) float64  { return x * x }

//go:noinline
func show(x ...any) { fmt.Fprintln(os.Stderr, x...) }

//go:noinline
func Map[T, U any](in []T, f func(T) U) []U {
	out := make([]U, 0, len(in))
	for _, x := range in {
		out = append(out, f(x))
	}
	return out
}

func callers() {
	pcs := make([]uintptr, 64)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(1, pcs)])
	for more := true; more; {
		var f runtime.Frame
		f, more = frames.Next()
		fmt.Printf("frame %#x %d %s:%s\\n", f.PC, f.Line, f.File, f.Function)
	}
}

func leaf(d int) int   { callers(); return d }
func middle(d int) int { return leaf(d) + 1 } // inlines leaf

//go:noinline
func outer(d int) int {
	if d > 0 {
		return outer(d-1) + 1
	}
	return middle(d)
}

func funcval(f func()) unsafe.Pointer { return unsafe.Pointer(&f) }

func main() {
	xs := []string{"b", "a"}
	sort.Slice(xs, func(i, j int) bool { return xs[i] < xs[j] })
	n := Map(xs, func(s string) int { return len(s) + outer(2) })
	q := &Square{2}
	q.Grow(1)
	var s Shape = q
	show(n, s.Area())
	func() {
		defer func() { show(recover()); callers() }()
		var p *Square
		p.Grow(1)
	}()
	fmt.Printf("main %#x\\n", **(**uintptr)(funcval(main)))
	fmt.Println("ready")
	fmt.Scanln()
}
"""

CGO_IMPORT = """
// static int twice(int x) { return 2 * x; }
import "C"
"""
CGO_USE = """
var Twice = C.twice(4)
"""

STRIPPED = "-ldflags=-s -w"
BUILDS: dict[str, tuple[str, ...]] = {
    "plain": (),
    "unoptimized": ("-gcflags=all=-N -l",),
    "pie": ("-buildmode=pie",),
    "stripped": (STRIPPED,),
    "stripped-pie": ("-buildmode=pie", STRIPPED),
}
CGO_BUILDS: dict[str, tuple[str, ...]] = {
    "cgo": (),
    "cgo-stripped": (STRIPPED,),
    "cgo-pie-stripped": ("-buildmode=pie", "-ldflags=-s -w -linkmode=external"),
}


def builds() -> list[tuple[str, str]]:
    """(Go release, kind of build) of every binary to test with."""
    kinds = [*BUILDS, *(CGO_BUILDS if has_gcc() else ())]
    return [(go, kind) for go in matrix() for kind in kinds]


@cache
def binary(go: str, kind: str) -> Path:
    if kind in BUILDS:
        return build(SOURCE, go=go, flags=BUILDS[kind])
    head, _, rest = SOURCE.partition("\n")
    text = head + "\n" + CGO_IMPORT + rest + CGO_USE
    return build(text, go=go, flags=CGO_BUILDS[kind], env={"CGO_ENABLED": "1"})
