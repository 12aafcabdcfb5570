"""What a deferred call is handed lies in the frame of the closure that the compiler makes of it;
code of the compiler's own that has the statement's line is no witness of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from goprobe.model.escape import Verdict
from tests.escape.hardship import escape, module
from tests.support.go import matrix, toolchain

PROGRAM = """\
package main

var few, total = 3, 0

//go:noinline
func sum(values ...int) {
	for _, v := range values {
		total += v
	}
}

//go:noinline
func failed() (no bool) { return total < 0 }

//go:noinline
func once(n int) (ok bool, left int) {
	defer sum(n, 2) // once
	return !failed(), n
}

//go:noinline
func inLoop(n int) (ok bool) {
	for i := 0; i < n; i++ {
		defer sum(i) // inLoop
	}
	return !failed()
}

// Its frame is so large that it looks how far down its stack will go.
//
//go:noinline
func large(n int) (ok bool) {
	a, b, c, d, e, f, g, h := n, n+1, n+2, n+3, n+4, n+5, n+6, n+7
	o, p, q, r := n+8, n+9, n+10, n+11
	for i := 0; i < n; i++ {
		defer sum(1, 2) // large
	}
	sum()
	return !failed() && a+b+c+d+e+f+g+h+o+p+q+r > 0
}

//go:noinline
func recovers(n int) (ok bool) {
	defer func() { ok = recover() != nil }()
	defer sum(n) // recovers
	panic("on purpose")
}

//go:noinline
func never(n int) (ok bool) {
	for i := 0; i < n; i++ {
		if failed() {
			defer sum(i) // never
		}
	}
	return !failed()
}

func main() {
	once(few)
	inLoop(few)
	large(few)
	recovers(few)
	never(few)
}
"""
EXPECTED = {"once": 1, "inLoop": 3, "large": 3, "recovers": 1, "never": 0}


@pytest.mark.parametrize("flags", [(), ("-gcflags=all=-N -l",)], ids=["optimised", "plain"])
@pytest.mark.parametrize("go", matrix())
def test_arguments_of_deferred_calls(tmp_path: Path, go: str, flags: tuple[str, ...]) -> None:
    folder = module(tmp_path, {"main.go": PROGRAM})
    report = escape(folder, flags=flags, go=str(toolchain(go)))
    lines = PROGRAM.split("\n")
    seen = {
        lines[s.line - 1].rpartition("// ")[2]: (s.verdict, s.hits)
        for s in report.sites
        if s.expression == "... argument" and "defer" in lines[s.line - 1]
    }
    expected = {
        name: (Verdict.CONFIRMED_STACK if hits else Verdict.NOT_REACHED, hits)
        for name, hits in EXPECTED.items()
    }
    assert seen == expected
