"""What is noted of the words beside pointers, against those words."""

from __future__ import annotations

import numpy as np
import pytest

from goprobe.analysis.heap.graph import HeapGraph
from goprobe.analysis.heap.snapshot import take
from goprobe.runtime.heap.beside import BYTE_NOUGHT, BYTE_SET, STATIC
from goprobe.target.live import open_target
from tests.support.go import build, matrix, running
from tests.support.heap import TESTDATA

_SHAPES = ("large", "syncmap", "chains-any", "chains-funcs", "chains-maps", "chains-kids", "nest")


@pytest.mark.parametrize("go", matrix())
@pytest.mark.parametrize("shape", _SHAPES)
def test_what_is_noted_stands_there(shape: str, go: str) -> None:
    binary = build(TESTDATA / "shapes.go", go=go)
    with running(binary, shape, "200000", timeout=300) as program:
        snapshot = take(open_target(program.pid))
        try:
            graph = HeapGraph(snapshot, lambda message: None)
            snapshot.words.keep()
            nodes, words, start = graph.nodes, snapshot.words.words, snapshot.words.start
            if shape in ("chains-any", "chains-maps", "chains-kids"):
                assert np.count_nonzero(nodes.beside.notes) > 0.4 * nodes.heap_edges
            edges = np.arange(nodes.heap_edges)
            objects, source = graph.objects, nodes.sources_of(edges)
            span = objects.span[source]
            first = start[span] + (objects.base[source] - snapshot.spans.base[span]).view(
                np.int64
            ) // np.int64(8)
            place = first + nodes.offset[edges]
            for step in (-1, 1, 2):
                known, told = nodes.beside.words(edges, step)
                assert (told[known] == words[place[known] + step]).all()
            low, high = graph.world.static
            before, _ = nodes.beside.words(edges, -1)
            at = words[np.maximum(place - 1, 0)]
            inside = (nodes.offset[edges] > 0) & (at >= low) & (at < high) & (at % 8 == 0)
            # Where the word before was given back already, nothing is noted.
            assert np.count_nonzero(inside & ~before) <= len(edges) // 1000
            assert not (before & ~inside).any()
            headed = np.flatnonzero(nodes.beside.heads)
            rows, heads = objects.span[headed], nodes.beside.heads[headed]
            into = (objects.base[headed] - snapshot.spans.base[rows]).view(np.int64)
            head = words[start[rows] + into // np.int64(8)]
            static = heads <= STATIC
            assert static.any() or shape != "chains-funcs"
            assert (nodes.beside.told[heads[static] - 1] == head[static]).all()
            nought = head[~static] & np.uint64(0xFF) == 0
            assert (heads[~static] == np.where(nought, BYTE_NOUGHT, BYTE_SET)).all()
        finally:
            snapshot.close()
