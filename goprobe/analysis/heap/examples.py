"""The objects that a report on a heap names as examples, each by itself: what is in it, the way to
it, and who points at it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from msgspec import UNSET
from msgspec.structs import replace

from goprobe.analysis.heap.graph import HeapGraph
from goprobe.analysis.heap.names import Names
from goprobe.analysis.heap.objects import object_view, referring, shortest
from goprobe.model.address import Address
from goprobe.model.heap import Example, HeapReport, TreeNode
from goprobe.runtime.heap.edges import leading_to
from goprobe.runtime.heap.spantable import Ints
from goprobe.runtime.values.decoded import Limits

_MOST = 200
_MOST_OF_EACH = 80
_MOST_REFERRERS = 8
_SHOWN = Limits(string=256, text=1024, elements=8, fields=40, depth=3, nodes=80, map_scan=32)


def with_examples(graph: HeapGraph, report: HeapReport) -> HeapReport:
    """The report, with the objects that it names told by themselves."""
    nodes = _nodes(graph, report)
    if not nodes:
        return replace(report, examples=())
    names, edges = Names(graph), _edges_to(graph, nodes)
    retained = report.tree is not UNSET
    told = tuple(_example(graph, names, node, edges[node], retained=retained) for node in nodes)
    return replace(report, examples=told)


def _nodes(graph: HeapGraph, report: HeapReport) -> list[int]:
    """The objects at the addresses that the report names, each once."""
    chosen: dict[int, None] = {}
    for address in _named(report):
        node = graph.node_at(address)
        if node >= 0:
            chosen.setdefault(node)
        if len(chosen) >= _MOST:
            break
    return list(chosen)


def _named(report: HeapReport) -> Iterator[int]:
    """The addresses, the most telling first."""
    tree = () if report.tree is UNSET else report.tree
    waste = () if report.waste is UNSET else report.waste
    lost = () if report.unreachable is UNSET else report.unreachable
    yield from _rows(tree)
    yield from (w.example for w in waste[:_MOST_OF_EACH])
    for types in (report.types, lost):
        yield from (t.example for t in types[:_MOST_OF_EACH] if t.example is not UNSET)


def _rows(tree: Iterable[TreeNode]) -> Iterator[int]:
    """Of the tree's rows, those near the roots first."""
    level, shown = list(tree), 0
    while level and shown < _MOST_OF_EACH:
        yield from (row.address for row in level[: _MOST_OF_EACH - shown])
        shown += len(level)
        level = [child for row in level for child in row.children]


def _edges_to(graph: HeapGraph, nodes: list[int]) -> dict[int, Ints]:
    """The numbers of the edges that lead to each, found in one pass over all of them."""
    wanted = np.zeros(len(graph.nodes), bool)
    wanted[nodes] = True
    edges = leading_to(graph.nodes.target, wanted)
    of = graph.nodes.target[edges]
    return {node: edges[of == node] for node in nodes}


def _example(graph: HeapGraph, names: Names, node: int, edges: Ints, *, retained: bool) -> Example:
    span = graph.objects.span[node]
    path, text = shortest(graph, names, node)
    own = edges[: _MOST_REFERRERS + 1]  # one may be from the root of all
    return Example(
        address=Address(graph.address(node)),
        size=int(graph.objects.spans.elemsize[span]) - int(graph.lead[span]),
        object=object_view(graph, names, node, retained=retained, limits=_SHOWN),
        path=path,
        path_text=text,
        pointers=len(edges),
        referrers=referring(graph, names, node, own)[:_MOST_REFERRERS],
    )
