"""What the runtime allocates in a method that an interface leads to, or in a function value, is
told of the line that calls it."""

from __future__ import annotations

from pathlib import Path

import pytest

from goprobe import assert_no_allocation
from tests.escape.hardship import escape, module
from tests.support.go import matrix, toolchain

PROGRAM = """\
package main

import "runtime"

var (
	one    = 1
	table  [8]int
	text   string
	frames = runtime.CallersFrames
	kept   *runtime.Frames
)

type holder struct{ error }

//goprobe:noalloc
//go:noinline
func words(err error) {
	text = err.Error() // method
}

//go:noinline
func wrapped(err error) {
	text = err.Error() // wrapped
}

//go:noinline
func value(pcs []uintptr) {
	kept = frames(pcs) // value
}

//go:noinline
func fails(i int) (err error) {
	defer func() { err = recover().(error) }()
	table[i]++
	return nil
}

type pair [2]int

func (p pair) Error() string { return text[:p[0]] }

// What the wrapper of a value's method makes for the panic is at no line of this.
//
//go:noinline
func nilled(err error) {
	defer func() { recover() }()
	text = err.Error() // nil
}

func main() {
	err := fails(8 * one)
	held := holder{err}
	pcs := []uintptr{1, 2}
	for i := 0; i < 40; i++ {
		words(err)
		wrapped(held)
		wrapped(&held)
		value(pcs)
		nilled((*pair)(nil))
	}
}
"""


# Each allocates in the runtime's own code, by another way there; `told` and `own` do not.
WAYS = """\
package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
	_ "unsafe"
)

var (
	one     = 1
	pcs     = []uintptr{1, 2}
	frames  = runtime.CallersFrames
	kept    *runtime.Frames
	text    string
	records = make([]runtime.StackRecord, 4)
	args    []string
	where   [9]uintptr
)

//go:linkname arguments os.runtime_args
func arguments() []string

//goprobe:noalloc
//go:noinline
func chosen(n int) {
	f := runtime.CallersFrames
	if n > 5 {
		f = nil
	}
	kept = f(pcs)
}

//goprobe:noalloc
//go:noinline
func global() { kept = frames(pcs) }

//goprobe:noalloc
//go:noinline
func given(f func([]uintptr) *runtime.Frames) { kept = f(pcs) }

//goprobe:noalloc
//go:noinline
func deferred() { defer frames(pcs) }

//goprobe:noalloc
//go:noinline
func shaped[T error](e T) { text = e.Error() }

//goprobe:noalloc
//go:noinline
func caller() { _, text, _, _ = runtime.Caller(0) }

//goprobe:noalloc
//go:noinline
func linked() { args = arguments() }

//goprobe:noalloc
//go:noinline
func profile() { one, _ = runtime.GoroutineProfile(records) }

//goprobe:noalloc
//go:noinline
func allowed() { _, text, _, _ = runtime.Caller(0) } //goprobe:allow-alloc "a name"

//goprobe:noalloc
//go:noinline
func told() {
	text = runtime.Version()
	one = runtime.Callers(0, where[:])
	runtime.KeepAlive(&text)
}

func main() {
	var assertion *runtime.TypeAssertionError
	func() {
		defer func() { assertion = recover().(*runtime.TypeAssertionError) }()
		_ = any(one).(string)
	}()
	debug.SetGCPercent(-1)
	for range pcs {
		chosen(1)
		global()
		given(runtime.CallersFrames)
		deferred()
		shaped(assertion)
		caller()
		linked()
		profile()
		allowed()
		told()
	}
	fmt.Sprint(pcs)
}
"""
OWN = """\
package main

type adds struct{ by int }

func (a adds) Len() int { return a.by }

var one = 1

//goprobe:noalloc
//go:noinline
func own(f func(int) int, a interface{ Len() int }) { one = f(one) + a.Len() }

type inner struct{ n int }
type outer struct{ *inner }

var kept *int

// With -l the wrapper by which it is promoted has its code all the same.
func (i *inner) Work() {
	kept = new(int) //goprobe:allow-alloc "one each time"
	if i.n < 0 {
		kept = &i.n
		kept = new(int)
	}
}

func (i *inner) Idle() {
	if i.n < 0 {
		kept = new(int)
	}
}

func main() {
	own(func(i int) int { return i }, adds{one})
	var works interface{ Work(); Idle() } = outer{&inner{one}}
	works.Work()
	works.Idle()
}
"""


@pytest.mark.parametrize("go", matrix())
def test_what_may_be_the_runtimes_is_not_known_before_it_ran(tmp_path: Path, go: str) -> None:
    folder = module(tmp_path, {"main.go": WAYS, "own/main.go": OWN})
    options = {"go": str(toolchain(go)), "promises": ("fmt.Sprint noalloc",)}
    static = escape(folder, static=True, **options)
    lines = WAYS.split("\n")
    held = {
        _declared(lines, a.line): a.why for a in static.assertions if a.held or (a.known and a.line)
    }
    assert set(held) == {"allowed", "told"}, held
    ran = escape(folder, **options)
    held = {_declared(lines, a.line): a.why for a in ran.assertions if a.held}
    # Up to Go 1.21 GoroutineProfile has no labels to make room for (runtime/mprof.go).
    assert set(held) - {"profile"} == {"allowed", "told"}, held
    for report in (static, ran):
        (foreign,) = (a for a in report.assertions if not a.line)
        assert not foreign.held and not foreign.known and "not looked at" in foreign.why
    with pytest.raises(AssertionError, match="can allocate"):
        assert_no_allocation(static, "main.global")
    line = next(n for n, text in enumerate(lines, 1) if "func global()" in text)
    with pytest.raises(AssertionError, match="can allocate"):
        assert_no_allocation(static, f"main.go:{line}")
    assert_no_allocation(static, "main.told")
    methods = tuple(f"main.(*inner).{name} noalloc" for name in ("Work", "Idle"))
    options |= {"promises": methods, "flags": ("-gcflags=-l",)}
    for without_run in (True, False):
        own, work, idle = escape(folder, "./own", static=without_run, **options).assertions
        assert own.held and own.known, own.why
        assert work.held is not without_run, work.why
        assert idle.held is not without_run, idle.why


def _declared(lines: list[str], number: int) -> str:
    """The function that a promise on a line speaks of."""
    text = next(text for text in lines[number:] if text.startswith("func "))
    return text.removeprefix("func ").partition("(")[0].partition("[")[0]


@pytest.mark.parametrize("flags", [(), ("-race",)])
@pytest.mark.parametrize("go", matrix())
def test_the_runtimes_functions_called_by_address(
    tmp_path: Path, go: str, flags: tuple[str, ...]
) -> None:
    folder = module(tmp_path, {"main.go": PROGRAM})
    report = escape(folder, go=str(toolchain(go)), flags=flags)
    lines = PROGRAM.split("\n")
    made = {
        name: sum(s.allocations for s in report.sites if f"// {name}" in lines[s.line - 1])
        for name in ("method", "wrapped", "value", "nil")
    }
    # An index out of range is told in a text that is put together, which is an object at least.
    assert made == {"method": 40, "wrapped": 80, "value": 40, "nil": 0}
    (promise,) = report.assertions
    assert promise.known and not promise.held, promise.why
    (promise,) = escape(folder, go=str(toolchain(go)), flags=flags, static=True).assertions
    assert not promise.known and "can allocate" in promise.why, promise.why
