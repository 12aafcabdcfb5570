"""Pointers into stacks: those that the runtime keeps by right, and one that nobody may keep."""

from __future__ import annotations

import pytest

from goprobe.analysis.heap.heap import heap
from goprobe.analysis.heap.questions import HeapQuestions
from goprobe.model.heap import HeapReport
from goprobe.model.location import Kind
from goprobe.target.live import open_target
from tests.support.go import Running, build, matrix, running
from tests.support.heap import TESTDATA

BUILDS = {
    "plain": (),
    "unoptimized": ("-gcflags=all=-N -l",),
    "stripped": ("-ldflags=-s -w",),
}
RELEASES = pytest.mark.parametrize("go", matrix())
ALL_BUILDS = pytest.mark.parametrize("flags", BUILDS.values(), ids=BUILDS)
MANY = 600  # of seven kinds each: more than any limit of a list


def _asked(program: Running) -> HeapReport:
    return heap(open_target(program.pid), HeapQuestions(dangling=True))


@RELEASES
@ALL_BUILDS
def test_what_the_runtime_keeps_of_stacks_does_not_dangle(go: str, flags: tuple[str, ...]) -> None:
    with running(build(TESTDATA / "blocked.go", go=go, flags=flags)) as program:
        for _ in range(3):
            report = _asked(program)
            told = [f"{e.source.name} {e.field} -> {e.to.name}" for e in report.dangling]
            assert not told
            assert report.self_check.dangling_edges == 0


@RELEASES
@pytest.mark.parametrize("flags", [(), ("-ldflags=-s -w",)], ids=["plain", "stripped"])
def test_a_pointer_into_a_stack_is_found_among_those_of_many_goroutines(
    go: str, flags: tuple[str, ...]
) -> None:
    binary = build(TESTDATA / "blocked.go", go=go, flags=flags)
    with running(binary, str(MANY), "bad") as program:
        place, target = (int(word, 16) for word in program["bad"].split())
        (edge,) = _asked(program).dangling
        assert (int(edge.to.address), edge.to.kind) == (target, Kind.GOROUTINE_STACK)
        assert edge.source.kind is Kind.HEAP and int(edge.source.address) <= place
