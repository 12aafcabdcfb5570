"""Types that only the code of a stripped program tells: of variables, and of what closures hold."""

from __future__ import annotations

import pytest

from goprobe.analysis.heap.graph import HeapGraph
from goprobe.analysis.heap.snapshot import take
from goprobe.target.live import open_target
from tests.support.go import build, matrix, running
from tests.support.heap import TESTDATA

SHOWN = {"string": "string data"}


def _shown(kind: str) -> str:
    """What an object is called that a pointer of a type leads to."""
    if kind.startswith("[]"):
        return f"{kind} backing"
    return SHOWN.get(kind, kind.removeprefix("*"))


@pytest.mark.parametrize("flags", [(), ("-gcflags=all=-N -l",), ("-buildmode=pie",)], ids=str)
@pytest.mark.parametrize("go", matrix())
def test_code_tells_what_variables_hold(go: str, flags: tuple[str, ...]) -> None:
    """All of it, and nothing else: the program says what each is. What a variable holds that code
    uses as two things, or that another type of the same name exists of, may be not told."""
    binary = build(TESTDATA / "bycode.go", go=go, flags=("-ldflags=-s -w", *flags))
    with running(binary) as program:
        said = [line.rsplit(" ", 1) for line in program.lines if " 0x" in line]
        snapshot = take(open_target(program.pid))
        try:
            graph = HeapGraph(snapshot, lambda message: None)
            told = [graph.type_name(graph.node_at(int(at, 16))) for _, at in said]
        finally:
            snapshot.close()
    assert len(said) > 15
    for (kind, _), name in zip(said, told, strict=True):
        wanted = _shown(kind.removeprefix("?"))
        # Code that is not optimised hands all on through slots of its frame that have several uses.
        doubtful = (kind.startswith("?") or "-N" in str(flags)) and (
            not name or wanted in name.split(" or ")
        )
        assert name == wanted or doubtful, (kind, name)
