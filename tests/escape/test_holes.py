"""What nobody can follow is told by the name that it has in the source."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.escape.hardship import escape, module
from tests.support.go import matrix, toolchain

_PROGRAM = """\
package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
)

type Shape interface{ Area(int) int }

type holder struct {
	out struct{ w io.Writer }
	s   Shape
}

type square struct{ n int }

var sink []int

func (s *square) Area(k int) int { sink = make([]int, k); return s.n * k }

var global Shape = &square{3}

type embeds struct{ Shape }

//go:noinline
//goprobe:noalloc deep
func (h *holder) Fill(b []byte) { h.out.w.Write(b) } // (io.Writer).Write

//go:noinline
//goprobe:nodynamic
func (h *holder) Area(k int) int {
	return h.s.Area(k) // (main.Shape).Area
}

//go:noinline
//goprobe:nodynamic
func Global(k int) int {
	return global.Area(len(fmt.Sprint(k))) // (main.Shape).Area
}

//goprobe:noalloc deep
func Inlined(e Shape, k int) int {
	return e.Area(k) // (main.Shape).Area
}

//go:noinline
//goprobe:nodynamic
func Result(k int) int {
	return []func() Shape{shape}[k]().Area(k) // Area
}

//go:noinline
func shape() Shape { return global }

func main() {
	h := &holder{s: global}
	h.out.w = &bytes.Buffer{}
	if len(os.Args) > 3 {
		h.out.w = os.Stdout
		global = embeds{global}
		h.s = global
	}
	h.Fill([]byte("abc"))
	h.Area(3)
	Global(4)
	Inlined(global, 3)
	Result(0)
}
"""


@pytest.mark.parametrize("go", matrix())
def test_a_hole_has_the_name_of_its_method(go: str, tmp_path: Path) -> None:
    folder = module(tmp_path, {"main.go": _PROGRAM})
    report = escape(folder, go=str(toolchain(go)), static=True)
    lines = _PROGRAM.split("\n")
    wanted = [line.partition(" // ")[2] for line in lines if " // " in line]
    assert len(report.assertions) == len(wanted)
    for told, name in zip(report.assertions, wanted, strict=True):
        assert told.why.endswith(f"it calls an interface method, {name}") or (
            name == "Area" and told.why.endswith("it calls a function value")
        ), told
