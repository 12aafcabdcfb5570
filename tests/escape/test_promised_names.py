"""Promises of what shares its lines, and of what the source has by another name."""

from __future__ import annotations

from pathlib import Path

import pytest

from goprobe.errors import UsageError
from tests.escape.hardship import escape, module
from tests.support.go import matrix, toolchain

_SHARED = """\
package main

type P struct{ X, Y int }

var sink *P
var total int

//goprobe:noalloc
func quiet() int { return total + 1 }; func loud() { sink = &P{1, 2} }

//go:noinline
func still(s struct{ A int; B int }) int { return total + s.A }; func louder() {
	sink = &P{3, 4}
}

//goprobe:noalloc
func alone(s struct{ A int; B int }) struct{ C int } {
	if s.A > 0 { total++; total++ }
	return struct{ C int }{total}
}

var first, second = func() { sink = &P{5, 6} }, func() { total++ }

type R struct{}

//go:noinline
func (*R) Method() int { return total }

func (R) function() int { return total }

func main() {
	total += quiet()
	loud()
	total += still(struct{ A int; B int }{1, 2})
	louder()
	alone(struct{ A int; B int }{1, 2})
	first()
	second()
	(&R{}).Method()
}
"""


@pytest.mark.parametrize("go", matrix())
def test_functions_that_share_a_line(go: str, tmp_path: Path) -> None:
    folder = module(tmp_path, {"main.go": _SHARED})
    literals = "glob..func" if go == "1.21" else "init.func"
    names = ("quiet", "loud", "still", "louder", f"{literals}1", f"{literals}2")
    report = escape(
        folder, go=str(toolchain(go)), promises=[f"main.{name} noalloc" for name in names]
    )
    above, alone, *named = report.assertions
    assert not above.held and "needs a line of its own" in above.why
    assert alone.held
    told = {name: (a.held, a.known) for name, a in zip(names, named, strict=True)}
    assert told["quiet"] in ((True, True), (False, False)), named
    assert told["loud"] == told["louder"] == told[f"{literals}1"] == (False, True), named
    assert told["still"] == told[f"{literals}2"] == (True, True), named


@pytest.mark.parametrize("go", matrix())
def test_the_name_that_was_meant(go: str, tmp_path: Path) -> None:
    folder = module(tmp_path, {"main.go": _SHARED})
    near = {
        "R.Method": "there is main.(*R).Method",
        "(*R).function": "there is main.R.function",
        "(*R).Methud.func1": "there is main.(*R).Method",
        "second": f"whose line holds main.{'glob..' if go == '1.21' else 'init.'}func1, main.",
        "R.unlike": "has no such function",
    }
    for name, wanted in near.items():
        with pytest.raises(UsageError, match="has no such function") as caught:
            escape(folder, go=str(toolchain(go)), static=True, promises=[f"main.{name} noalloc"])
        assert wanted in caught.value.message


_GENERIC = """\
package main

type bag[E any] struct{ e E }

var sink any

//line generated.y:100
//go:noinline
func (b *bag[E]) Keep(n int) { sink = &bag[E]{b.e} }

//go:noinline
func (b *bag[E]) Count(n int) int { return n }

//go:noinline
func Of[K comparable, V any](k K, v V) { sink = map[K]V{k: v} }

func (b *bag[E]) Small(n int) { sink = n + 1000 }

func main() {
	(&bag[int]{}).Keep(1)
	(&bag[string]{}).Small(5)
	(&bag[string]{}).Count(2)
	Of(1, "x")
}
"""


@pytest.mark.parametrize("go", matrix())
def test_names_with_type_arguments(go: str, tmp_path: Path) -> None:
    folder = module(tmp_path, {"main.go": _GENERIC})
    wanted = {
        "(*bag).Keep": False,
        "(*bag[...]).Keep": False,
        "(*bag[int]).Keep": False,
        "(*bag[...]).Count": True,
        "(*bag[...]).Small": False,
        "Of": False,
        "Of[...]": False,
        "Of[int,string]": False,
    }
    promises = [f"main.{name} noalloc" for name in wanted]
    report = escape(folder, go=str(toolchain(go)), promises=promises)
    told = dict(zip(wanted, ((a.held, a.known) for a in report.assertions), strict=True))
    assert told == {name: (held, True) for name, held in wanted.items()}


_LITERALS = """\
package main

type P struct{ X, Y int }

var sink *P
var total int

var held = func(n int) int {
	total++
	pass() //goprobe:noalloc
	return n
}

var group = map[string]func(int){
	"a": func(n int) {
		pass() //goprobe:noalloc
		total += n
	},
	"b": func(n int) {
		sink = &P{n, n} //goprobe:noalloc
	},
}

var dropped = func(n int) {
	sink = &P{n, n} //goprobe:noalloc
}

func pass(all ...int) { total += len(all) }

func main() {
	held(3)
	for _, f := range group {
		f(4)
	}
}
"""


@pytest.mark.parametrize("go", matrix())
def test_lines_of_literals_that_stand_in_no_function(go: str, tmp_path: Path) -> None:
    folder = module(tmp_path, {"main.go": _LITERALS})
    told = [(a.held, a.known, a.why) for a in escape(folder, go=str(toolchain(go))).assertions]
    assert [t[:2] for t in told] == [(True, True), (True, True), (False, True), (False, False)], (
        told
    )
    assert told[-1][2].startswith("its code is not in this binary")
