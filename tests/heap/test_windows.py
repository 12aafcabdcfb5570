"""Ways through slices that begin and end anywhere in their arrays, and through pointers into
values: told as Go selects them, and what Go cannot select is said to be outside."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

import goprobe
from goprobe.analysis.heap.graph import HeapGraph
from goprobe.analysis.heap.names import Names
from goprobe.analysis.heap.objects import paths
from goprobe.analysis.heap.snapshot import take
from goprobe.report import RenderOptions, render
from goprobe.target.live import open_target
from tests.support.go import Running, build, matrix, running
from tests.support.heap import TESTDATA

BUILDS = {"plain": (), "unoptimized": ("-gcflags=all=-N -l",)}
_CAPTURES = (1, 23)  # since then the debug information tells what closures capture


@pytest.fixture(scope="module", params=[(go, b) for go in matrix() for b in BUILDS], ids=" ".join)
def program(request: pytest.FixtureRequest) -> Iterator[tuple[Running, bool]]:
    go, how = request.param
    captures = tuple(map(int, go.split("."))) >= _CAPTURES
    with running(build(TESTDATA / "windows.go", go=go, flags=BUILDS[how])) as started:
        yield started, captures


def _said(program: Running) -> list[tuple[int, str]]:
    """The last of each address."""
    lines = [line.split(" ", 2) for line in program.lines if line.startswith("way ")]
    return list({int(at, 16): text for _, at, text in lines}.items())


def test_ways_are_told_as_go_selects_them(program: tuple[Running, bool]) -> None:
    started, captures = program
    snapshot = take(open_target(started.pid))
    try:
        graph = HeapGraph(snapshot, lambda message: None)
        names = Names(graph)
        said = _said(started)
        for at, expected in said:
            if not captures and (".captured" in expected or ".called" in expected):
                continue
            (way, *_), (text, *_) = paths(graph, names, graph.node_at(at), 1)
            assert _plain(text) == expected
            outside = expected.partition(" (")[2].rstrip(")")
            assert _plain(str(way[-1].detail.get("outside", ""))) == outside
        assert len(said) == 55
    finally:
        snapshot.close()


def _plain(text: str) -> str:
    """Without the numbers of goroutines."""
    return re.sub(r" \(goroutine \d+\)", "", text)


def test_what_is_beyond_a_slice_is_said(program: tuple[Running, bool]) -> None:
    started, _ = program
    (at,) = (at for at, text in _said(started) if text.startswith("main.sub[2]"))
    report = goprobe.attach(started.pid).heap(path=at)
    assert report.path_texts == ("main.sub[2] (beyond the length of main.sub, 2)",)
    shown = render(report, "text", RenderOptions(width=100)).decode()
    assert "main.sub[2] (beyond the length of main.sub, 2)" in shown


def test_names_of_what_is_waited_for(program: tuple[Running, bool]) -> None:
    started, _ = program
    report = goprobe.attach(started.pid).goroutines(waits=True)
    names = {w.name for g in report.goroutines for w in g.waits_on or ()}
    assert names >= {
        "main.queues[-1] (before main.queues's first element)",
        "main.queues[0]",
        "main.queues[1] (beyond the length of main.queues, 1)",
    }
