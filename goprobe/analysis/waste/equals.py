"""Strings of equal content that lie in memory more than once."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import numpy as np

from goprobe.analysis.heap.graph import HeapGraph
from goprobe.analysis.waste.holders import holder_name
from goprobe.analysis.waste.views import views_of
from goprobe.model.address import Address
from goprobe.model.heap import Waste
from goprobe.runtime.heap.spantable import Ints
from goprobe.runtime.types.shape import Rule

EQUAL = "equal strings"
BUDGET = 64 << 20
"""Bytes of content that are compared."""

_MOST = 400_000  # strings
_LEAST = 8  # bytes: an object of a string that is shorter shares its slot with others
_SHOWN = 40
_BATCH = 4096


class Equals(msgspec.Struct, frozen=True):
    """`compared` of `strings` that lie in objects of their own were looked at."""

    rows: tuple[Waste, ...]
    compared: int
    strings: int


def equals(graph: HeapGraph, roots: Ints) -> Equals:
    """By content. The largest are compared first, as far as the budget goes."""
    views = views_of(graph, least=_LEAST)
    whole = np.flatnonzero((views.rule == Rule.TEXT) & (views.low == 0) & (views.high > _LEAST))
    target, first = np.unique(views.target[whole].astype(np.int64), return_index=True)
    length = views.high[whole[first]]
    order = np.argsort(-length, kind="stable")
    chosen = order[np.cumsum(length[order]) <= BUDGET][:_MOST]
    by_content: dict[bytes, list[int]] = {}
    for node, content in _contents(graph, target[chosen], length[chosen]):
        by_content.setdefault(content, []).append(node)
    rows = [_row(graph, roots, text, same) for text, same in by_content.items() if len(same) > 1]
    return Equals(tuple(rows), len(chosen), len(target))


def _contents(graph: HeapGraph, target: Ints, length: Ints) -> Iterator[tuple[int, bytes]]:
    memory, base = graph.world.memory, graph.objects.base
    for at in range(0, len(target), _BATCH):
        nodes, sizes = target[at : at + _BATCH].tolist(), length[at : at + _BATCH].tolist()
        ranges = [(int(base[node]), size) for node, size in zip(nodes, sizes, strict=True)]
        for node, text in zip(nodes, memory.read_many(ranges), strict=True):
            if text is not None:
                yield node, text


def _row(graph: HeapGraph, roots: Ints, text: bytes, same: list[int]) -> Waste:
    sizes = [int(graph.objects.size[node]) for node in same]
    holders = {int(roots[node]) for node in same}
    cut = "…" if len(text) > _SHOWN else ""
    return Waste(
        kind=EQUAL,
        type=f'"{text[:_SHOWN].decode("utf-8", "backslashreplace")}{cut}" ({len(text)} bytes)',
        holder=holder_name(graph, holders.pop()) if len(holders) == 1 else "",
        objects=len(same),
        bytes=sum(sizes) - max(sizes),
        example=Address(graph.address(same[0])),
        advice="one copy would do: unique.Make, or a map of those that are known already",
    )
