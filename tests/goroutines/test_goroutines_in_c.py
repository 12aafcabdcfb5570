"""What goroutines in C wait on, and those in Go that C has called: across both, from one side to
the other, with the variables of each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec import UNSET

from goprobe.analysis.locals.ask import GoroutineQuestions, goroutines_of
from goprobe.model.attached import GoroutinesReport, GoroutineState
from goprobe.target.live import open_target
from tests.support.go import build, has_gcc, matrix, running

PROGRAM = Path(__file__).parents[2] / "testdata" / "goroutines" / "inc.go"

pytestmark = pytest.mark.skipif(not has_gcc(), reason="needs cgo")


@pytest.fixture(scope="module", params=matrix())
def reports(request: pytest.FixtureRequest) -> Iterator[tuple[GoroutinesReport, GoroutinesReport]]:
    binary = build(PROGRAM, go=request.param, env={"CGO_ENABLED": "1"})
    with running(binary) as program:
        target = open_target(program.pid)
        all_of_it = GoroutineQuestions(waits=True, locals=True, stacks=True, each=True)
        yield (
            goroutines_of(target, all_of_it),
            goroutines_of(target, GoroutineQuestions(leaked=True)),
        )


def _of(report: GoroutinesReport, name: str) -> list[GoroutineState]:
    return sorted(
        (g for g in report.goroutines if name in _functions(g)), key=lambda g: bool(g.leaked)
    )


def _functions(g: GoroutineState) -> list[str]:
    return [f.function for f in g.frames] if g.frames is not UNSET else []


def test_one_in_c_waits_in_its_system_call(
    reports: tuple[GoroutinesReport, GoroutinesReport],
) -> None:
    (g,) = _of(reports[0], "main.inC")
    assert [(w.kind, w.call) for w in g.waits_on] == [("syscall", "pause()")]
    assert (g.status, g.frames_end) == ("syscall", UNSET)


def test_one_that_c_has_called_waits_as_any(
    reports: tuple[GoroutinesReport, GoroutinesReport],
) -> None:
    for g, name, leaked in zip(
        _of(reports[0], "main.back"), ("main.known", ""), (False, True), strict=True
    ):
        assert [(w.kind, w.operation, w.name) for w in g.waits_on] == [("channel", "receive", name)]
        assert g.leaked == leaked
        functions = _functions(g)
        assert functions.index("main.back") < functions.index("runtime.cgocallback")
        assert functions.index("runtime.cgocallback") < functions.index("main.calledBack")
        assert g.frames is not UNSET
        told = {v.name: v for f in g.frames if f.function == "main.back" for v in f.variables or ()}
        assert told["n"].value is not UNSET
        assert told["n"].value.text == ("2" if leaked else "1")


def test_only_who_cannot_be_woken_is_lost(
    reports: tuple[GoroutinesReport, GoroutinesReport],
) -> None:
    _, lost = _of(reports[0], "main.back")
    assert [g.id for g in reports[1].goroutines if g.leaked] == [lost.id]
