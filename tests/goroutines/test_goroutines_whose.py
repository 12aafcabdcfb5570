"""Which goroutines are the runtime's own: as the program's runtime.Stack has it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec import UNSET

from goprobe.analysis.goroutines.goroutines import goroutines
from goprobe.model.attached import GoroutinesReport
from goprobe.target.live import open_target
from tests.goroutines.test_goroutines import Printed, parse
from tests.support.go import build, matrix, running

PROGRAM = Path(__file__).parents[2] / "testdata" / "goroutines" / "whose"
FLAGS = {"plain": (), "stripped": ("-ldflags=-s -w",)}
CASES = [
    (go, name, late)
    for go in matrix()
    for name in FLAGS
    for late in ("finalizer", "cleanup")
    if late == "finalizer" or tuple(map(int, go.split("."))) >= (1, 24)
]


@pytest.fixture(scope="module", params=CASES, ids="-".join)
def told(request: pytest.FixtureRequest) -> Iterator[tuple[GoroutinesReport, dict[int, Printed]]]:
    go, name, late = request.param
    with running(build(PROGRAM, go=go, flags=FLAGS[name]), late) as program:
        first, _, last = program["stand"].split()
        assert first == last
        printed = {p.id: p for p in parse(json.loads(program["stacks"]))}
        yield goroutines(open_target(program.pid), stacks=True), printed


def test_users_are_those_that_the_runtime_prints(
    told: tuple[GoroutinesReport, dict[int, Printed]],
) -> None:
    report, printed = told
    assert {g.id for g in report.goroutines if not g.system} == set(printed)
    assert {g.id for g in report.goroutines if g.system}


def test_who_made_them(told: tuple[GoroutinesReport, dict[int, Printed]]) -> None:
    report, printed = told
    for g in report.goroutines:
        # Where a function of the runtime made it, the runtime does not say so.
        if g.id in printed and printed[g.id].created_by:
            assert (g.created_by, g.parent) == (printed[g.id].created_by, printed[g.id].parent)
            assert g.created_at is not UNSET
            assert (g.created_at.file, g.created_at.line) == printed[g.id].created_at
        assert bool(g.created_by) == (g.id != 1) == (g.created_at is not UNSET)
    made = {g.created_by for g in report.goroutines}
    assert "time.goFunc" in made
    assert not any("go.shape" in name for name in made)
