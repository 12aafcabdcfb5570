"""What the runtime allocates in a method that an interface leads to, or in a function value, is
told of the line that calls it."""

from __future__ import annotations

from pathlib import Path

import pytest

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
