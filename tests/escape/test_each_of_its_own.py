"""Lines of several allocations of different kinds: each is told of its own expression."""

from __future__ import annotations

from pathlib import Path

import pytest

from goprobe.model.escape import EscapeReport, Prediction, Site, Verdict
from tests.escape.hardship import escape, module
from tests.support.go import matrix, toolchain

LIB = """\
package lib

func New(n int) *int { return &n }

var Name = "the name of a package variable"
var kept []any

//go:noinline
func Keep(things ...any) { kept = things }
"""
PROGRAM = """\
package main

import (
	"errors"
	"os"
	"strings"

	"example.com/m/lib"
)

type Bytes []byte
type Text string
type T struct{ a, b int }
type bag[V any] struct{ v V }
type none struct{}

func pointerTo[E any](v E) *E { return &v }
func (b *bag[V]) at(v V) *V   { return &v }

//go:noinline
func apart(n int) int { return n + 1000 }

//go:noinline
func textOf(s string) Text { return Text(s) }

//go:noinline
func count(things ...any) int { return len(things) }

//go:noinline
func work(n int, s string, b []byte, t T) {
	x1, x2, x3 := lib.New(n), make([]int, 3), make([]int, 3)    // each
	lib.Keep(x1, x2, x3)
	y1, y2 := make([]T, 4), &T{n, n}                            // each
	lib.Keep(y1, y2)
	z1, z2 := make([]int, n), new(int)                          // each
	lib.Keep(z1, z2)
	u1, u2 := new(int), pointerTo(n)                            // each
	lib.Keep(u1, u2)
	v1, v2 := (&bag[string]{}).at(s), new(string)               // each
	lib.Keep(v1, v2)
	w1, w2 := any(t), []byte(s)                                 // each
	lib.Keep(w1, w2)
	lib.Keep(apart(n), []byte(s))                               // each
	lib.Keep(strings.ToUpper(s), Text(b))                       // each
	lib.Keep(textOf(s), Text(b), Bytes(s))                      // each
	t1, t2 := any(lib.Name), s+lib.Name                         // each
	lib.Keep(t1, t2)
	r1, r2 := map[int]string{}, lib.New(n)                      // each
	lib.Keep(r1, r2)
	q1, q2 := map[string]T{}, &T{n, n}                          // each
	lib.Keep(q1, q2)
	p1 := make([]string, 0, 10)                                 // each
	lib.Keep(&p1)
}

//go:noinline
func held(n int, s string, b []byte, e none, y byte, p *int) int {
	acc := count(s, n > 1, nil)
	acc += count(n, y, e)
	acc += count(y, p)
	if n > 100 {
		acc += count(s, b, 5, n > 2, nil)
	}
	return acc
}

//go:noinline
func recovered(n int, s string) (acc int) {
	defer func() { _ = recover() }()
	if n > 100 {
		acc += count(s, n)
	}
	panic(errors.New(s))
}

func main() {
	for i := 1; i <= 10; i++ {
		work(i+300, strings.Repeat("abc", i), []byte(os.Args[0]), T{i, i})
		held(i, "abc", nil, none{}, byte(i), nil)
		recovered(i, "abc")
	}
}
"""


def _reported(go: str, tmp_path: Path) -> EscapeReport:
    folder = module(tmp_path, {"main.go": PROGRAM, "lib/lib.go": LIB})
    return escape(folder, go=str(toolchain(go)))


def _on(report: EscapeReport, part: str) -> dict[str, Site]:
    line = next(n for n, text in enumerate(PROGRAM.split("\n"), 1) if part in text)
    here = [s for s in report.sites if s.line == line and s.file.endswith("main.go")]
    return {site.expression: site for site in here}


@pytest.mark.parametrize("go", matrix())
def test_each_makes_one_object_each_time(go: str, tmp_path: Path) -> None:
    each = {n for n, line in enumerate(PROGRAM.split("\n"), 1) if line.endswith("// each")}
    sites = [
        s for s in _reported(go, tmp_path).sites if s.line in each and s.file.endswith("main.go")
    ]
    assert len(each) == 13
    assert len(sites) > 2 * len(each)
    assert not [
        (s.line, s.expression, s.verdict, s.allocations)
        for s in sites
        if s.verdict is Verdict.UNPREDICTED
        or (s.prediction is Prediction.HEAP and s.allocations != 10)
    ]


@pytest.mark.parametrize("go", matrix())
def test_what_interfaces_hold_by_its_type(go: str, tmp_path: Path) -> None:
    report = _reported(go, tmp_path)
    told = _on(report, "count(s, n > 1, nil)")
    assert told["s"].verdict is Verdict.CONFIRMED_STACK
    assert told["n > 1"].verdict in (Verdict.STATIC, Verdict.ELIDED)
    told = _on(report, "count(n, y, e)")
    assert told["n"].verdict is Verdict.CONFIRMED_STACK
    assert told["y"].verdict in (Verdict.STATIC, Verdict.ELIDED)
    assert "staticuint64s" not in told["e"].reason
    assert _on(report, "count(y, p)")["y"].verdict in (Verdict.STATIC, Verdict.ELIDED)
    told = _on(report, "count(s, b, 5")
    assert {told[name].verdict for name in ("s", "b")} == {Verdict.NOT_REACHED}


@pytest.mark.parametrize("go", matrix())
def test_the_way_out_after_a_panic_is_no_run_of_the_last_line(go: str, tmp_path: Path) -> None:
    told = _on(_reported(go, tmp_path), "count(s, n)")
    assert {told[name].verdict for name in ("s", "n")} == {Verdict.NOT_REACHED}
    assert all("line ran" not in told[name].reason for name in ("s", "n"))


UNKNOWN = """\
package main

import "fmt"

type row struct {
	in     byte
	escape bool
}

type level int

var rows = []row{{1, true}, {2, false}}

func main() {
	for _, tt := range rows {
		if int(tt.in)%7 == 6 {
			fmt.Println(tt.in, !tt.escape, tt.escape)
			fmt.Println(level(4))
		}
	}
}
"""


@pytest.mark.parametrize("go", matrix())
def test_what_has_no_type_in_the_debug_information_may_lie_there(go: str, tmp_path: Path) -> None:
    report = escape(module(tmp_path, {"main.go": UNKNOWN}), go=str(toolchain(go)))
    kinds = ("tt.in", "tt.escape", "level(4)")
    boxed = [site for site in report.sites if site.expression.endswith(kinds)]
    assert len(boxed) == 4
    assert all("read-only" in s.reason for s in boxed if s.expression == "level(4)")
    assert {site.verdict for site in boxed} == {Verdict.STATIC}
