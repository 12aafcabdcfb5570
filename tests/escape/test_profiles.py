"""Programs that are built by a profile of themselves (-pgo, default.pgo)."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from goprobe.toolchain.escapebuild import GoPackage, telling_flags
from tests.escape.corpus import go_environment
from tests.escape.hardship import GO, escape, module

_PROGRAM = """\
package main

import (
	"os"
	"runtime/pprof"
	"time"
)

type Shape interface{ Area(int) int }
type quiet struct{ n int }
type loud struct{ n int }

var sink []int
var total int

func (s *quiet) Area(k int) int { return s.n*k + total }
func (s *loud) Area(k int) int  { sink = make([]int, k&7+1); return s.n * k }

//go:noinline
//goprobe:noalloc
func sum(s Shape, n int) (t int) {
	for i := 0; i < n; i++ {
		t += s.Area(i)
	}
	return t
}

func main() {
	shapes := []Shape{&loud{3}, &quiet{2}}
	if len(os.Args) > 1 {
		f, _ := os.Create(os.Args[1])
		pprof.StartCPUProfile(f)
		for begun := time.Now(); time.Since(begun) < 2*time.Second; {
			total += sum(shapes[0], 1000)
		}
		pprof.StopCPUProfile()
		f.Close()
		return
	}
	sum(shapes[0], 10)
	sum(shapes[1], 10)
}
"""


def test_objects_are_counted_where_the_allocator_is_hot(tmp_path: Path) -> None:
    """By some profiles the compiler inlines mallocgc into makeslice, and the calls of its parts are
    by a table. The runtime is built without; which profiles do so is chance."""
    folder = module(tmp_path, {"main.go": _PROGRAM})
    with go_environment():
        subprocess.run([GO, "build", "-o", "plain", "."], cwd=folder, check=True, env=os.environ)
    subprocess.run([folder / "plain", "default.pgo"], cwd=folder, check=True)
    report = escape(folder)
    assert "-gcflags=runtime=-pgoprofile= " in report.build.go_line
    made = [s for s in report.sites if s.expression.startswith("make(") and s.hits]
    assert [(s.hits, s.allocations) for s in made] == [(10, 10)]
    # The method is called directly, and inlined: its memory is that of the loop.
    (promise,) = report.assertions
    assert not promise.held and promise.known, promise


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ((), ["-gcflags=-m=2"]),
        (("-pgo=cpu.prof",), ["-gcflags=-m=2", "-gcflags=runtime=-pgoprofile="]),
        (("-pgo=cpu.prof", "-pgo=off"), ["-gcflags=-m=2"]),
        (
            ("--pgo=cpu.prof", "-gcflags=all=-l"),
            ["-gcflags=-l -m=2", "-gcflags=runtime=-l -pgoprofile="],
        ),
    ],
)
def test_the_runtime_is_built_without_the_profile(
    given: tuple[str, ...], wanted: list[str], tmp_path: Path
) -> None:
    package = GoPackage("example.com/m", "main", tmp_path, (), (".",), tmp_path)
    assert list(telling_flags(package, (package,), given)) == wanted
    (tmp_path / "default.pgo").touch()
    told = list(telling_flags(package, (package,), given))
    assert told == (wanted if given else ["-gcflags=-m=2", "-gcflags=runtime=-pgoprofile="])
