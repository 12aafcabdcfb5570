"""Several allocations on one line: each is told of the expression that it is for."""

from __future__ import annotations

from pathlib import Path

import pytest

from goprobe.analysis.escape.changes import compared
from goprobe.analysis.escape.policy import policy
from tests.escape.hardship import escape, module
from tests.support.go import matrix, toolchain

# Behind // stand the objects of each expression of the line, in the order of their columns.
PROGRAM = """\
package main

import "fmt"

type pair struct{ a, b any }
type large struct{ n, m int }
type length int

var (
	kept []any
	sink any
	fs   []func()
	data = []byte("forty bytes are more than a buffer holds")
	text = "long enough for no frame's buffer to hold it"
	done = make(chan bool)
)

//go:noinline
func add(xs ...any) { kept = append(kept[:0], xs...) }

func str(b []byte) string { return string(b) }

func moved(x int) *int { return &x }

func generic[T any](x T) *T { return &x }

//go:noinline
func twice(f func(b []byte)) {
	f([]byte(text))
	f([]byte(text))
}

//go:noinline
func thrice(f func()) {
	fs = append(fs[:0], f)
	for i := 0; i < 3; i++ {
		f()
	}
}

//go:noinline
func boxes(n int, xs []int) {
	add([]byte("abc"))                                                              // 1 1
	add([]byte("abc"), []byte("defg"))                                              // 1 1 1 1
	add([]rune(text), []byte(text))                                                 // 1 1 1 1
	add(make([]int, n))                                                             // 2
	add([]byte(text), make([]int, n))                                               // 1 1 2
	add(append(xs, 1, 2, 3), xs[1:])                                                // 2 1
	add([]byte("abc")); twice(func(b []byte) { sink = str(b) })                     // 1 1 0 2 2
}

// A number below 256 needs no memory: what is told of it is another's.
//
//go:noinline
func values(n int, text string) {
	keep(fmt.Sprintf("%d", n))                                                      // 1 0
	keep(fmt.Sprint(n, text)); keep(n)                                              // 1 0 1 0
	keep(pair{n, &kept})                                                            // 1 0
	add(n, str(data))                                                               // 0 1 1
	keep([2]any{n, "x"})                                                            // 1 0 0
	keep(struct{ a, b any }{n, "x"})                                                // 1 0 0
	keep([]string{text, text}); keep(text)                                          // 2 1
	keep(any(n) == any(text)); keep([2]string{text, text})                          // 0 0 0 1
	keep(large{n, n}.n); keep(length(n)); keep(large{n, n})                               // 0 0 1
	switch { case n > 9: add(text); case n > 1: add(n); default: add(large{n, n}) }    // 0 0 0
	if n > 9 { add(float64(n)) } else { add(n, name(n)) }                           // 0 0 1
}

//go:noinline
func keep(x any) { sink = x }

//go:noinline
func name(n int) string { return text[n:] }

//go:noinline
func literals(k int) {
	thrice(func() { sink = moved(5) })                                              // 0 3
	thrice(func() { sink = generic(5) })                                            // 0 3
	thrice(func() { sink = moved(k) })                                              // 1 3
	go func() { sink = moved(5); done <- true }()                                   // 0 1
	<-done
}

func total(xs []int) (t int) { for _, x := range xs { t += x }; return }

func plus(n, m int) int { return n + m }

func part(xs []int) []int { return xs[1:] }

//go:noinline
func results(n int, xs []int) {
	add(total([]int{1, 2}), part(xs))                                               // 0 0 1
	add(total([]int{n, 2000}), len(xs))                                             // 1 0 0
	add(len(xs), plus(n, 3000), plus(n, 4000), n+5000)                              // 0 1 1 1
	add(n+2000, text, plus(n, 3000), plus(n, n+900))                                // 1 1 1 1
	keep(struct{ a, b any }{[]int{n, 2}, "x"})                                      // 1 2 0
}

func main() {
	kept, fs = make([]any, 0, 8), make([]func(), 0, 8)
	boxes(40, []int{1, 2})
	literals(7)
	values(5, text)
	results(5, []int{1, 2})
}
"""
_OTHERS = (
    "... argument",
    "go",
    "record of the runtime's own",
)  # whose number differs with the release


@pytest.mark.parametrize("go", matrix())
def test_each_allocation_of_a_line_is_its_expressions(go: str, tmp_path: Path) -> None:
    holds(PROGRAM, go, tmp_path)


def holds(program: str, go: str, tmp_path: Path) -> None:
    report = escape(module(tmp_path, {"main.go": program}), go=str(toolchain(go)))
    for number, text in enumerate(program.splitlines(), 1):
        _, told, wanted = text.partition("// ")
        if not told or not wanted[:1].isdigit():
            continue
        sites = [
            site for site in report.sites
            if site.line == number and site.expression not in _OTHERS and not site.parameter
        ]  # fmt: skip
        sites.sort(key=lambda site: (site.col, len(site.calls)))
        made = [max(site.allocations, 0) for site in sites]
        assert " ".join(map(str, made)) == wanted.strip(), (text, made, sites)


SAME = """\
package main

type P struct{ x, y int }

var (
	kept []*P
	any_ any
)
var byName = map[string]*P{}

func (p *P) Get() int { return p.x }

func seq() func(func(*P)) { return func(y func(*P)) { for n := 50; n > 0; n-- { y(&P{n, n}) } } }

func ranged() { seq()(func(p *P) { any_ = p }) }

//go:noinline
func each(fs ...func(int)) { for _, f := range fs { f(1000) } }

func main() {
	ranged()
	each(func(n int) { any_ = n }, func(n int) { kept = append(kept, &P{n, n}) })
	byName["x"] = kept[0]
}
"""


@pytest.mark.parametrize("go", matrix())
def test_what_another_compiler_makes_the_same_is_the_same(go: str, tmp_path: Path) -> None:
    """Literals are called otherwise from release to release, and where they were inlined."""
    folder = module(tmp_path, {"main.go": SAME})
    new = escape(folder)
    calls = [call for site in new.sites for call in site.calls]
    assert sum(call.allocations for call in calls if call.line == 13) == 50
    for old in (escape(folder, go=str(toolchain(go))), escape(folder, flags=("-gcflags=-l",))):
        made = compared(old, new, "old.json", policy("new-heap")).changes
        assert not [c for c in made if c.expression in ("&P{...}", "n", "map[string]*P{}")], made
        (map_,) = [site for site in old.sites if site.expression == "map[string]*P{}"]
        assert map_.function == "main.init"
