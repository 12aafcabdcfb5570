"""What the runtime has of its own on the heap of the smallest program: stripped, nearly all of it
has the type that debug information gives it."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec import UNSET

import goprobe
from tests.support.go import build, matrix, running

_PROGRAM = """package main

import (
	"fmt"
	"time"
)

func main() {
	c := make(chan int)
	go func() { <-c }()
	fmt.Println("ready")
	time.Sleep(time.Hour)
}
"""
_STRIPPED = "-ldflags=-s -w"
_SAME = ("runtime.p", "[]*runtime.p backing", "[]*runtime.g backing")


@pytest.mark.parametrize("go", matrix())
@pytest.mark.parametrize("flags", [(_STRIPPED,), (_STRIPPED, "-buildmode=pie")], ids=["", "pie"])
def test_what_the_runtime_has_of_its_own(go: str, flags: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "main.go").write_text(_PROGRAM)
    told = []
    for some in (flags, ()):
        with running(build(tmp_path / "main.go", go=go, flags=some)) as program:
            report = goprobe.attach(program.pid).heap(types=True)
        assert not report.contradictions and report.graph is not UNSET
        rows = {row.type: row.objects for row in report.types}
        kept = [u for u in report.untyped or () if "nothing leads" not in u.reason]
        told.append((rows, sum(u.bytes for u in kept), report.graph.reachable_bytes))
    (stripped, untyped, reachable), (described, _, _) = told
    assert untyped <= 0.003 * reachable
    assert {name: stripped.get(name) for name in _SAME} == {n: described.get(n) for n in _SAME}
    threads = sum(n for name, n in stripped.items() if name in ("runtime.m", "runtime.mPadded"))
    assert stripped["runtime.g"] > threads  # their gsignals, and the first one's, among them
