"""Roots in frames with large variables: all that they keep, each under the name of what lies there.

Up to Go 1.23 the collector knows a large variable on a stack by a program that writes its pointer
bitmap; and `order1` of selectgo is an array of 131072 that stands for one of unknown length.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator

import pytest

from goprobe.analysis.heap.graph import HeapGraph
from goprobe.analysis.heap.heap import report_on
from goprobe.analysis.heap.questions import HeapQuestions
from goprobe.analysis.heap.snapshot import take
from goprobe.errors import UnreadableError
from goprobe.process.memory.memory import ProcessMemory
from goprobe.runtime.heap.gcprograms import written_by
from goprobe.target.live import open_target
from tests.support.go import Running, build, matrix, running
from tests.support.heap import TESTDATA

BUILDS = {"plain": (), "unoptimized": ("-gcflags=all=-N -l",), "PIE": ("-buildmode=pie",)}


@pytest.fixture(scope="module", params=[(go, b) for go in matrix() for b in BUILDS], ids=" ".join)
def looked(request: pytest.FixtureRequest) -> Iterator[tuple[Running, HeapGraph]]:
    go, how = request.param
    program = build(TESTDATA / "largeframes.go", go=go, flags=BUILDS[how])
    with running(program) as started:
        snapshot = take(open_target(started.pid))
        try:
            yield started, HeapGraph(snapshot, lambda message: None)
        finally:
            snapshot.close()


def test_large_variables_keep_what_they_point_at(looked: tuple[Running, HeapGraph]) -> None:
    program, graph = looked
    names = ("first", "last", "one", "word0", "word1", "a", "b", "sliced")
    said = [line.split() for line in program.lines]
    kept = [(words[0], int(words[1], 16)) for words in said if words[0] in names]
    assert len(kept) == 2 * 6 + 5
    for name, address in kept:
        node = graph.node_at(address)
        assert graph.reachable[node], name
        # Optimised, nothing names the slice.
        assert graph.type_name(node) == "main.node" or name == "sliced"


def test_what_a_root_is_named_has_a_pointer_there(looked: tuple[Running, HeapGraph]) -> None:
    _, graph = looked
    named = [g for g in graph.nodes.groups if g.function == "main.selects"]
    assert any(g.name in ("v", "&v") for g in named)
    for group in graph.nodes.groups:
        assert not group.name.startswith(("*order", "*cas1")), group
        assert group.address % 8 == 0, group
    arrays = [g.type for g in graph.nodes.groups if g.name == "*sliced"]
    assert all(kind is not None and kind.name == "[3]*main.node" for kind in arrays)
    report = report_on(graph, HeapQuestions(types=True, retained=True))
    assert not [entry for entry in report.audit if not entry.holds]


def _written(code: bytes, count: int, size: int = -1) -> bytes:
    """What a program writes that lies in this very process."""
    length = len(code) if size < 0 else size
    lies = ctypes.create_string_buffer(length.to_bytes(4, "little") + code)
    return written_by(ProcessMemory(os.getpid()), ctypes.addressof(lies), count)


@pytest.mark.parametrize(
    ("code", "bits"),
    [
        ((3, 0b101, 0), "101"),
        ((10, 0b11111110, 0b01, 0), "0111111110"),
        ((2, 0b01, 0x82, 3, 0), "10101010"),  # two bits, three times more
        ((1, 1, 0x81, 0x83, 0x01, 0), "1" * 132),  # 131 more: a count of two bytes
        ((3, 0b110, 0x80, 0x02, 2, 1, 1, 0), "011" + "11" * 2 + "1"),  # the length by itself
    ],
)
def test_a_program_writes_a_bitmap(code: tuple[int, ...], bits: str) -> None:
    assert _written(bytes(code), len(bits)) == bytes(map(int, bits))
    assert _written(bytes(code), 2) == bytes(map(int, bits[:2]))
    with pytest.raises(UnreadableError):
        _written(bytes(code), len(bits) + 1)


@pytest.mark.parametrize("code", [(0x85, 1), (0x80, 0xFF), (127,), (1, 1, 0x80, 0x80)])
def test_a_damaged_program_is_refused(code: tuple[int, ...]) -> None:
    with pytest.raises(UnreadableError):
        _written(bytes(code), 200)


def test_a_program_of_absurd_length_is_refused() -> None:
    with pytest.raises(UnreadableError):
        _written(b"", 8, size=0xFFFFFFFF)
