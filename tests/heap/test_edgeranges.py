"""Edges of objects, and of parts of them, against looking at each one."""

from __future__ import annotations

import numpy as np
from hypothesis import given, strategies as st

from goprobe.runtime.heap.beside import Beside
from goprobe.runtime.types.heapview import Graph

_WORDS = st.integers(0, 40)
_OBJECTS = st.lists(st.sets(_WORDS), min_size=1, max_size=8)
_PARTS = st.lists(st.tuples(st.integers(0, 7), _WORDS, _WORDS), max_size=12)


def _graph(objects: list[set[int]]) -> Graph:
    offsets = [word for words in objects for word in sorted(words)]
    first = np.cumsum([0, *map(len, objects)])
    none = np.zeros(len(offsets), np.int32)
    beside = Beside(none.astype(np.uint16), none.astype(np.uint16), none.astype(np.uint64))
    return Graph(first, np.array(offsets, np.uint32), none, none.astype(np.uint32), beside)


@given(_OBJECTS, _PARTS)
def test_edges_within_parts(objects: list[set[int]], parts: list[tuple[int, int, int]]) -> None:
    graph = _graph(objects)
    nodes, low, high = (
        np.array([(n % len(objects), a, b) for n, a, b in parts], np.int64).reshape(-1, 3).T
    )
    edges, row = graph.edges_within(nodes, low, high)
    found = [(int(r), int(graph.offset[e])) for e, r in zip(edges, row, strict=True)]
    wanted = [
        (row, word)
        for row, (n, a, b) in enumerate(parts)
        for word in sorted(objects[n % len(objects)])
        if a <= word < b
    ]
    assert found == wanted
    owners = np.searchsorted(graph.first, edges, "right") - 1
    assert (graph.first[owners] != graph.first[owners + 1]).all()
    assert owners.tolist() == nodes[row].tolist()


@given(_OBJECTS, st.integers(1, 50))
def test_batches_are_all_nodes_in_order_and_none_is_too_large(
    objects: list[set[int]], most: int
) -> None:
    graph = _graph(objects)
    nodes = np.arange(len(objects))
    batches = list(graph.in_batches(nodes, most))
    assert np.concatenate(batches).tolist() == nodes.tolist()
    for batch in batches:
        assert len(batch) == 1 or sum(len(objects[n]) + 1 for n in batch) <= most
