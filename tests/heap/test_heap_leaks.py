"""A server that leaks: what its heap is made of, and what keeps it, with symbols and without."""

from __future__ import annotations

import pytest

from goprobe.analysis.heap.heap import heap
from goprobe.analysis.heap.questions import HeapQuestions
from goprobe.target.live import open_target
from tests.support.go import build, matrix, running
from tests.support.heap import TESTDATA

SESSIONS = 300
LARGE = SESSIONS * (64 << 10)


@pytest.mark.parametrize("go", matrix())
@pytest.mark.parametrize("flags", ((), ("-ldflags=-s -w",)), ids=("plain", "stripped"))
def test_what_a_leaking_server_keeps_and_why(go: str, flags: tuple[str, ...]) -> None:
    binary = build(TESTDATA / "leakyserver.go", go=go, flags=flags)
    with running(binary, ready="loaded") as server:
        report = heap(open_target(server.pid), HeapQuestions(types=True, retained=True))
    assert report.audit and all(audited.holds for audited in report.audit)
    types = {t.type: t for t in report.types}
    names = {root.name: root for root in report.roots or ()}
    largest = max(names.values(), key=lambda root: root.retained_bytes)
    assert LARGE <= largest.retained_bytes < LARGE + (1 << 20)
    assert largest.objects == SESSIONS + 1
    assert types["chan main.event"].objects >= SESSIONS
    assert types["runtime.g"].objects >= SESSIONS
    assert types["main.Session"].objects == types["main.User"].objects == SESSIONS
    swiss = "map[string]interface {} groups" in types
    inside = types[f"map[string]interface {{}} {'groups' if swiss else 'buckets'}"]
    assert inside.objects >= SESSIONS
    assert types["map[string]interface {}"].objects >= SESSIONS
    bare = go == "1.21" and flags  # no large object there has its type written before it
    if not bare:
        assert types["[]uint8 backing"].bytes >= LARGE + SESSIONS * 2048
        assert LARGE <= (types["[][]uint8 backing"].retained_bytes or 0) < LARGE + (1 << 20)
    if not flags:
        assert largest.name == "main.headers"
        assert names["*main.store"].retained_bytes > SESSIONS * 2048
    elif not bare:
        assert largest.name.startswith("[][]uint8 used by main.handler leakyserver.go:68 (")
