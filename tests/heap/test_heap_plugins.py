"""Types, closures and variables of plugins: each module's descriptors are read as its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from goprobe.analysis.heap.counts import by_type
from goprobe.analysis.heap.graph import HeapGraph
from goprobe.analysis.heap.snapshot import take
from goprobe.binary.elf.buildinfo import GoVersion
from goprobe.target.live import open_target
from tests.support.go import build, has_gcc, matrix, running
from tests.support.heap import TESTDATA

pytestmark = pytest.mark.skipif(not has_gcc(), reason="plugins take a C compiler")
CGO = {"CGO_ENABLED": "1"}
HOST = TESTDATA / "plugin"


def _plugin(go: str, flags: tuple[str, ...]) -> Path:
    return build(HOST / "p", go=go, flags=("-buildmode=plugin", *flags), env=CGO)


@pytest.mark.parametrize("flags", [(), ("-ldflags=-s -w",)], ids=["plain", "stripped"])
@pytest.mark.parametrize("go", matrix())
def test_objects_of_plugins_have_the_types_that_the_program_printed(
    go: str, flags: tuple[str, ...]
) -> None:
    host = build(HOST, go=go, flags=flags, env=CGO)
    with running(host, str(_plugin(go, flags))) as program:
        said = [line.split(" ", 2)[1:] for line in program.lines if line.startswith("obj ")]
        assert len(said) == 8
        snapshot = take(open_target(program.pid))
        try:
            graph = HeapGraph(snapshot, lambda message: None)
            found = [(graph.type_name(graph.node_at(int(at, 16))), kind) for at, kind in said]
            count = {t.type: t.objects for t in by_type(graph, retained=False)}
            stripped = graph.world.program.stripped
        finally:
            snapshot.close()
    # Without debug information nothing says yet what the host's own variables are.
    wrong = [pair for pair in found if pair[0] != pair[1] and (pair[0] or not stripped)]
    major, minor = map(int, go.split("."))
    old = GoVersion(major, minor) < GoVersion(1, 23)
    if old:  # nothing says what a closure captured
        wrong = [pair for pair in wrong if not pair[1].startswith("closure")]
    assert not wrong
    if not (old and stripped):
        assert count["main.Widget"] == 20 + (not old)  # one of them the closure has captured
