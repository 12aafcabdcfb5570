"""Which root leads to each object, by a shortest way: a name for many at once."""

from __future__ import annotations

import numpy as np

from goprobe.analysis.heap.globalnames import root_name
from goprobe.analysis.heap.graph import HeapGraph
from goprobe.runtime.heap.spantable import Ints

_DOUBLINGS = 32  # of ways as long as there are objects


def holding_roots(graph: HeapGraph) -> Ints:
    """Of each object the root's node, the root of all where nothing leads to it."""
    nodes, via = graph.nodes, graph.reach.via
    n = len(graph.objects)
    above = np.full(len(nodes), nodes.root, np.int64)
    led = np.flatnonzero(via[:n] >= 0)
    above[led] = nodes.sources_of(via[led])
    above[n:] = np.arange(n, len(nodes))
    for _ in range(_DOUBLINGS):
        further = above[above]
        if np.array_equal(further, above):
            break
        above = further
    return above[:n]


def holder_name(graph: HeapGraph, node: int) -> str:
    """The variable, goroutine or other root that a node is."""
    if node == graph.nodes.root:
        return ""
    return root_name(graph.nodes.group(node))
