"""What is said of promises whose code was inlined elsewhere, and of what is allowed in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.escape.hardship import escape, module
from tests.support.go import matrix, toolchain

_LIBRARY = """\
package main

type T struct {
	a int
	p *T
}

//goprobe:noalloc
func allowed() *T {
	return &T{} //goprobe:allow-alloc "wanted"
}

//goprobe:noalloc
func both(b bool) *T {
	if b {
		return &T{} //goprobe:allow-alloc "wanted"
	}
	return &T{a: 1}
}

func made(n int) (all [3]func() int) {
	for i := range all {
		all[i] = func() int { return i + n }
	}
	return
}
"""
_MAIN = """\
package main

import "os"

var (
	sink  any
	calls [3]func() int
)

//go:noinline
func run(f func()) { f() }

func main() {
	n := len(os.Args)
	run(func() {
		calls = made(n)
		for i := 0; i < 9; i++ {
			n += calls[i%3]()
		}
	})
	for i := 0; i < 10; i++ {
		run(func() { sink = allowed() })
		run(func() { sink = both(i%2 == 0) })
	}
}
"""


@pytest.mark.parametrize("go", matrix())
def test_places_and_counts_are_those_of_the_promise(go: str, tmp_path: Path) -> None:
    folder = module(tmp_path, {"library.go": _LIBRARY, "main.go": _MAIN})
    names = ("main.made.func1", "main.made.1")
    report = escape(folder, go=str(toolchain(go)), promises=[f"{name} noalloc" for name in names])
    why = {a.line: (a.held, a.why) for a in report.assertions if a.line}
    assert why[8] == (True, "nothing was allocated here but for what is allowed")
    held, text = why[13]
    assert not held
    assert text.startswith("&T{...} (line 18, inlined at main.go:23): confirmed_heap, ")
    assert " 5 times" in text
    for name, told in zip(names, [a for a in report.assertions if not a.line], strict=True):
        assert told.held or not told.known, (name, told)
        assert "nothing calls it" not in told.why
