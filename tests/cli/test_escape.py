"""`goprobe escape` as users type it, on real programs."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.report.screen import cells, lines
from tests.support.cli import HELLO, goprobe

PROMISES = """package main

type point struct{ x, y int }

var kept *point

//go:noinline
func keep(p *point) { kept = p }

func main() {
	keep(&point{1, 2}) //goprobe:WORD
}
"""


def source(folder: Path, word: str) -> Path:
    file = folder / "main.go"
    file.write_text(PROMISES.replace("WORD", word))
    return file


def test_hello_allocates_nothing_for_its_literal() -> None:
    ran = goprobe("escape", HELLO, "--json")
    assert (ran.code, ran.err[-11:]) == (0, "Hello, Go!\n")
    verdicts = {site["expression"]: site["verdict"] for site in ran.json["sites"]}
    assert verdicts['"Hello, Go!"'] == "static"


def test_text_fits() -> None:
    ran = goprobe("escape", HELLO)
    assert ran.code == 0
    assert max(map(cells, lines(ran.out))) <= 80
    assert "nothing is allocated: it lies in read-only data" in ran.text


@pytest.mark.parametrize(("word", "code"), [("heap", 0), ("noalloc", 1), ("stack", 1)])
def test_a_broken_promise_is_a_finding(tmp_path: Path, word: str, code: int) -> None:
    ran = goprobe("escape", source(tmp_path, word))
    assert ran.code == code
    assert ("✗" in ran.text) == bool(code)


def test_annotations_name_the_line(tmp_path: Path) -> None:
    source(tmp_path, "noalloc")
    ran = goprobe("escape", "main.go", "--format", "github", cwd=tmp_path)
    assert ran.code == 1
    assert ran.text.startswith("::error file=main.go,line=11,title=goprobe%3Anoalloc is broken::")


def test_verdicts_to_fail_on(tmp_path: Path) -> None:
    file = source(tmp_path, "heap")
    assert goprobe("escape", file, "--fail-on", "spilled_to_heap,dead").code == 0
    assert goprobe("escape", file, "--fail-on", "spilled_to_heap,confirmed_heap").code == 1
    ran = goprobe("escape", file, "--fail-on", "hepa")
    assert (ran.code, ran.out) == (2, b"")
    assert ran.err.startswith("goprobe: --fail-on knows no verdict 'hepa'")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--hits", "-1"], "--hits takes numbers from 0 to 65,536"),
        (["--hits", "65537"], "--hits takes numbers from 0 to 65,536"),
        (["--check-pointers", "-1"], "--check-pointers takes numbers from 0 on"),
        (["--static", "--bench", "."], "--static runs nothing"),
        (["--format", "pprof"], "no format 'pprof'"),
        (["--timeout", "0"], "no length of time"),
    ],
)
def test_wrong_usage_is_one_sentence(options: list[str], told: str) -> None:
    ran = goprobe("escape", HELLO, *options)
    assert (ran.code, ran.out) == (2, b"")
    assert told in ran.err.splitlines()[0]
