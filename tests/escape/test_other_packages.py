"""What is inlined from other packages: the compiler tells of its variables with their names."""

from __future__ import annotations

from pathlib import Path

import pytest

from goprobe.model.escape import EscapeReport
from tests.escape.hardship import escape, module
from tests.support.go import matrix, toolchain

_OTHERS = ("... argument", "func literal", "&lib.T{...}", "&T{...}")

LIB = """\
package lib

import (
	"fmt"

	"example.com/m/deep"
)

type T struct {
	N int
	S string
}

var N = 70000
var kept any

//go:noinline
func Keep(x any) { kept = x }

//go:noinline
func Call(f func()) { f() }

func Box(n int) int           { Keep(n); return n }
func Text(s string) int       { Keep(s); return len(s) }
func Flag(b bool) int         { Keep(b); return 1 }
func Result(n int) (r int)    { return n + 1 }
func Unnamed(n int) int       { return n + 1 }
func Part(s string) (r string) { return s[:3] }
func (t *T) Method(n int) int { Keep(n); return t.N }
func (t T) Value() int        { Keep(t); return t.N }
func Generic[V any](v V) int  { Keep(v); return 1 }
func Deep(n int) int          { return deep.Box(n) + 1 }
func Print(n int) string      { return fmt.Sprint(n) }
func Later(n int) func()      { return func() { Keep(n) } }
"""
DEEP = """\
package deep

var kept any

//go:noinline
func Keep(x any) { kept = x }

func Box(m int) int { Keep(m); return m }
"""
OTHER = """\
package lib

var kept any

//go:noinline
func Keep(x any) { kept = x }

func Box(n string) int { Keep(n); return 1 }
"""
# Behind // stand the objects of each expression of the line, in the order of their columns.
PROGRAM = """\
package main

import (
	"fmt"
	"os"
	"reflect"

	"example.com/dep"
	"example.com/m/lib"
	other "example.com/m/other/lib"
)

type T struct {
	N  int
	S  string
	in struct{ ys []int }
}

type one struct{ n int }
type two struct{ a, b int }

var sink any

//go:noinline
func keep(x any) { sink = x }

//go:noinline
func calls(n int, s string, t *lib.T) (r int) {
	r += lib.Box(n)                                                       // 3
	r += lib.Text(s)                                                      // 3
	r += lib.Flag(n > 1) + lib.Text(s)                                    // 0 3
	r += lib.Flag(n > 1) + lib.Box(n) + lib.Text(s) + dep.Box(n)          // 0 3 3 3
	lib.Keep(lib.Result(n))                                               // 3
	lib.Keep(lib.Unnamed(n))                                              // 3
	lib.Keep(lib.Part(s)); r += lib.Box(n)                                // 3 3
	r += t.Method(n)                                                      // 3
	r += t.Value()                                                        // 3
	r += lib.Generic(n)                                                   // 3
	r += lib.Generic(s)                                                   // 3
	r += lib.Deep(n)                                                      // 3
	r += len(lib.Print(n))                                                // 3
	r += dep.Box(n)                                                       // 3
	r += other.Box(s)                                                     // 3
	r += other.Box(s) + lib.Box(n)                                        // 3 3
	lib.Call(func() { r += lib.Box(n) })                                  // 3
	lib.Call(func() { lib.Keep(n) })                                      // 3
	lib.Call(lib.Later(n))
	lib.Call(func() { r += lib.Text(s) }); lib.Call(func() { r += lib.Box(n) }) // 3 3
	return r
}

//go:noinline
func fields(n int, s string, p *T, ps []T) {
	lib.Keep(lib.N)                                                       // 3
	keep(os.Args)                                                         // 3
	keep(p.N)                                                             // 3
	keep(p.S)                                                             // 3
	keep(p.in)                                                            // 3
	keep(p.in.ys)                                                         // 3
	sink = p.S                                                            // 3
	fmt.Fprint(os.Stderr, p.N, p.S)                                       // 3 3
	fmt.Fprint(os.Stderr, ps[0].S, ps[0])                                 // 3 3
	keep((&lib.T{n, s}).N)                                                // 3
	{ lib := p; keep(lib.N) }                                             // 3
	func() { defer func() { recover() }(); panic(p.N) }()                 // 3
}

//go:noinline
func literals(n int, s string) {
	keep(struct{ n int }{n})                                              // 3
	keep([1]string{s})                                                    // 3
	keep(struct{ s string; z struct{} }{s, struct{}{}})                   // 3
	keep(struct{ z struct{}; m int }{struct{}{}, n})                      // 3
	keep([2]int{n, n})                                                    // 3
	keep(one{n})                                                          // 3
	keep(two{n, n})                                                       // 3
	keep(reflect.ValueOf([]one{{n}}))                                     // 3 6
	keep([]int{n}); keep(lib.Part(s))                                     // 6 3
}

func main() {
	n := 1000 + len(os.Args)
	p := &T{N: n, S: os.Args[0]}
	p.in.ys = []int{n}
	for i := 0; i < 3; i++ {
		calls(n+i, os.Args[0], &lib.T{n, os.Args[0]})
		fields(n+i, os.Args[0], p, []T{*p})
		literals(n+i, os.Args[0])
	}
}
"""
DEP = "package dep\n\nvar kept any\n\n//go:noinline\nfunc Keep(x any) { kept = x }\n\n" + (
    "func Box(n int) int { Keep(n); return n }\n"
)
FILES = {
    "main.go": PROGRAM,
    "lib/lib.go": LIB,
    "deep/deep.go": DEEP,
    "other/lib/lib.go": OTHER,
    "go.mod": "module example.com/m\n\ngo 1.21\n\nrequire example.com/dep v1.0.0\n",
    "vendor/modules.txt": "# example.com/dep v1.0.0\n## explicit; go 1.21\nexample.com/dep\n",
    "vendor/example.com/dep/dep.go": DEP,
}


def _differing(report: EscapeReport, program: str, file: str) -> list[object]:
    """The lines of which something else is told than stands behind them."""
    wrong: list[object] = []
    for number, text in enumerate(program.splitlines(), 1):
        _, told, wanted = text.partition("// ")
        if not told or not wanted[:1].isdigit():
            continue
        sites = [
            site for site in report.sites
            if (site.file.endswith(file), site.line, site.parameter) == (True, number, False)
            and site.expression not in _OTHERS
        ]  # fmt: skip
        sites.sort(key=lambda site: site.col)
        made = " ".join(str(max(site.allocations, 0)) for site in sites)
        if made != wanted.strip():
            wrong.append((text, made, [(s.expression, s.verdict, s.reason) for s in sites]))
    return wrong


@pytest.mark.parametrize("go", matrix())
def test_what_boxes_it_is_told_of_what_is_inlined(go: str, tmp_path: Path) -> None:
    report = escape(module(tmp_path, FILES), go=str(toolchain(go)))
    assert not _differing(report, PROGRAM, "main.go")
    assert not [s for s in report.sites if s.verdict == "unpredicted" and "conv" in s.expression]


TESTED = """\
package lib_test

import (
	"testing"

	"example.com/m/lib"
)

func TestIt(t *testing.T) {
	for n := 1000; n < 1003; n++ {
		lib.Box(n)                                                        // 3
		lib.Keep(lib.Result(n))                                           // 3
		lib.Call(func() { lib.Box(n) })                                   // 3
		t.Log(lib.T{N: n}.N, t.Name(), lib.Unnamed(n))                     // 3 3 3
	}
}
"""


@pytest.mark.parametrize("go", matrix())
def test_a_package_of_tests_beside_is_another(go: str, tmp_path: Path) -> None:
    folder = module(tmp_path, {**FILES, "lib/lib_test.go": TESTED})
    report = escape(folder, "./lib", test=True, go=str(toolchain(go)))
    assert not _differing(report, TESTED, "lib_test.go")


SEVERAL = """\
package main

import (
	"errors"
	"fmt"
)

var broken, named = errors.New("broken"), fmt.Sprint("named")

func two(n int) (int, string) { return n + 70000, named }
func add(n, k int) int        { return n + k }

//go:noinline
func three(n int) (int, float64, error) { return n + 70001, 2.5 * float64(n), broken }

func main() {
	n := len(fmt.Sprint("x")) + 80000
	fmt.Println(two(n))                                                       // 1 1
	fmt.Println(three(n))                                                     // 1 1
	x, y := any(n), any(add(n, 3))                                            // 1 1
	fmt.Println(x, y)
}
"""


@pytest.mark.parametrize("go", matrix())
def test_several_results_that_are_handed_on_at_once(go: str, tmp_path: Path) -> None:
    report = escape(module(tmp_path, {"main.go": SEVERAL}), go=str(toolchain(go)))
    assert not _differing(report, SEVERAL, "main.go")
