"""Types of one name are not summed as one: each function's own `node`, with and without debug
information."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pytest

from goprobe.analysis.heap.heap import heap
from goprobe.analysis.heap.questions import HeapQuestions
from goprobe.target.live import open_target
from tests.support.go import build, matrix, running
from tests.support.heap import TESTDATA

_STRIPPED = "-ldflags=-s -w"
_ADDRESS = r"·0x[0-9a-f]+"
_PLAIN = "-gcflags=all=-N -l"


@pytest.mark.parametrize(
    "flags",
    [(_STRIPPED,), (_STRIPPED, "-buildmode=pie"), (_STRIPPED, _PLAIN), (), (_PLAIN,)],
    ids=str,
)
@pytest.mark.parametrize("go", matrix())
def test_types_of_one_name_are_told_apart(go: str, flags: Sequence[str]) -> None:
    with running(build(TESTDATA / "namesakes.go", go=go, flags=flags)) as program:
        wanted = [line.split()[1:] for line in program.lines if line.startswith("type ")]
        report = heap(open_target(program.pid), HeapQuestions(types=True))
    told = {
        row.type: row.objects
        for row in report.types
        if row.type.startswith(("main.node", "main.cell"))
    }
    assert sorted(told.values()) == sorted(int(count) for _, count in wanted)
    counts = {int(count): name for name, count in wanted}
    for name, count in told.items() if _STRIPPED in flags else ():
        whose = counts[count].rstrip("?")
        kind = whose.partition("·")[0]
        by_address = counts[count].endswith("?") and re.fullmatch(_ADDRESS, name.removeprefix(kind))
        assert name == whose or by_address, (name, whose)
