"""What an atomic.Pointer leads to is known by its type: a script goes on through it."""

from __future__ import annotations

from pathlib import Path

import pytest

import goprobe
from tests.support.go import build, matrix

_SOURCE = """
package main

import "sync/atomic"

type conf struct {
	name string
	next atomic.Pointer[conf]
}

var current, empty atomic.Pointer[conf]
var plain struct{ v *int }

//go:noinline
func see(c *atomic.Pointer[conf]) bool { return c.Load() == nil && empty.Load() == nil }

func main() {
	second := &conf{name: "second"}
	first := &conf{name: "first"}
	first.next.Store(second)
	current.Store(first)
	println(see(&current), plain.v == nil)
}
"""


@pytest.mark.parametrize("go", matrix())
def test_atomic_pointers_lead_on(go: str, tmp_path: Path) -> None:
    (tmp_path / "main.go").write_text(_SOURCE)
    with goprobe.launch(str(build(tmp_path / "main.go", go=go)), stdout=2) as program:
        stop = next(program.run(["main.see"]))
        for pointer in (program["main.current"], stop["c"]):
            assert pointer.v["name"] == "first" and pointer.v.next.v["name"] == "second"
            assert pointer.v.next.v.next.v == None  # noqa: E711
        assert program["main.empty"].v == None  # noqa: E711
