"""What a hit tells: who wrote, what was there before; and that a deep stack hides no frame."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import goprobe
from tests.support import go

_SOURCE = """\
package main

import "sync/atomic"

type failed struct{ code int }

func (f *failed) Error() string { return "failed" }

type names struct{ first, last string }

type result struct {
	count int
	err   error
}

type watched struct {
	last    error
	pointer *int
	count   atomic.Int64
	names   names
	result  result
}

var text = "g"

//go:noinline
func fill(into *[3]int, depth int) int {
	if depth == 0 {
		into[1] = 77 // deep
		return 1
	}
	return fill(into, depth-1) + 1
}

//go:noinline
func framed(depth int) int {
	var own [3]int
	deep := fill(&own, depth)
	return own[1] + deep
}

//go:noinline
func fails(w *watched, n int) (err error) {
	defer func() {
		if err != nil {
			w.last = err // last
		} else {
			w.last = nil
		}
	}()
	if n > 0 {
		return &failed{n}
	}
	return nil
}

//go:noinline
func change(w *watched) {
	x, y := 1, 2
	w.pointer = &x
	*w.pointer = 7
	w.pointer = &y // pointer
	w.count.Add(5) // count
	text += "h" // text
	text = text[:1]
}

//go:noinline
func parts(w *watched, n names) {
	w.names.last = "b"
	between() // else the optimiser makes one of two statements
	w.names = n
	between()
	w.names.first = "longer"
	w.result.err = &failed{3}
	between()
	w.result = result{1, &failed{4}}
}

//go:noinline
func between() {}

func main() {
	w := &watched{}
	parts(w, names{"c", "dd"})
	fails(w, 1)
	fails(w, 2)
	change(w)
	println(framed(400), *w.pointer, text)
}
"""
_LINES = {
    text.split("// ")[1]: number
    for number, text in enumerate(_SOURCE.splitlines(), 1)
    if "\t// " not in text and "// " in text
}


@pytest.fixture(scope="module", params=go.matrix())
def release(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def _built(folder: Path, release: str, *, optimised: bool) -> str:
    (folder / "told.go").write_text(_SOURCE)
    flags = () if optimised else ("-gcflags=all=-N -l",)
    return str(go.build(folder / "told.go", go=release, flags=flags))


@pytest.mark.parametrize("optimised", [False, True])
def test_what_hits_tell(tmp_path: Path, release: str, *, optimised: bool) -> None:
    binary = _built(tmp_path, release, optimised=optimised)

    def hits(where: str, what: str) -> list[tuple[Any, Any, int]]:
        with goprobe.launch(binary, stdout=2) as program:
            stop = next(program.run([where]))
            program.clear(where)
            return [
                (hit.old, hit.new, hit.writer.line if hit.writer else 0) for hit in stop.watch(what)
            ]

    # The second write is of another value of the same type: one of two words, and then a jump.
    line = _LINES["last"]
    assert hits("main.fails", "w.last") == [
        (None, {"code": 1}, line),
        ({"code": 1}, {"code": 2}, line),
    ]
    # A struct that holds what takes several words: each such part is written whole.
    told = [hit[1] for hit in hits("main.parts", "w.names")]
    first, last = [n["first"] for n in told], [n["last"] for n in told]
    assert set(first) == {"", "c", "longer"} and set(last) == {"b", "dd"}, told
    assert told[0] == {"first": "", "last": "b"} and told[-1] == {"first": "longer", "last": "dd"}
    told = [hit[1] for hit in hits("main.parts", "w.result")]
    assert told[0] == {"count": 0, "err": {"code": 3}}
    assert all(n["err"] in ({"code": 3}, {"code": 4}) for n in told), told
    assert told[-1] == {"count": 1, "err": {"code": 4}}
    assert hits("main.change", "w.pointer")[-1][1:] == (2, _LINES["pointer"])
    if not optimised:  # the optimiser leaves out the first of the two
        assert hits("main.change", "w.pointer")[1][0] == 7
    assert hits("main.change", "w.count")[0][2] == _LINES["count"]
    assert hits("main.change", "main.text") == [
        ("g", "gh", _LINES["text"]), ("gh", "g", _LINES["text"] + 1),
    ]  # fmt: skip


def test_a_frame_further_out_than_a_stack_is_walked(tmp_path: Path) -> None:
    binary = _built(tmp_path, go.matrix()[-1], optimised=False)
    with goprobe.launch(binary, stdout=2) as program:
        stop = next(program.run([f"told.go:{_SOURCE.splitlines().index(_DEEP) + 1}"]))
        told = [(hit.new, hit.writer and hit.writer.line) for hit in stop.watch("own")]
    assert told == [([0, 77, 0], _LINES["deep"])]


_DEEP = "\tdeep := fill(&own, depth)"
