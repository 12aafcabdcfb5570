"""What sync.Pools keep, and nothing else does.

Source: src/sync/pool.go, Go 1.21 to 1.27: a pool has an array of poolLocals, one for each P, and
that of before the last collection (the victim).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from goprobe.analysis.heap.graph import HeapGraph
from goprobe.analysis.heap.reach import START, UNREACHED, onward, reach
from goprobe.analysis.waste.meanings import GARBAGE, Meanings
from goprobe.analysis.waste.whose import Whose, furthest
from goprobe.model.heap import Waste
from goprobe.runtime.heap.spantable import Ints

POOLED = "pooled"
_LOCALS = "[]sync.poolLocal backing"
_PARTS = ("sync.poolChainElt", "[]sync.eface backing")
_INSIDE = re.compile(r"^sync\.Pool\.\w+$|\.(local|victim)$")  # of a pool: it is the field
_ADVICE = (
    "idle in the pool: two collections without use free them; what has grown large had better not "
    "be put back"
)


def pooled(graph: HeapGraph, whose: Whose, meant: Meanings) -> Iterator[Waste]:
    """All that is kept by pools alone, by the type of what was put into them, and by pool."""
    names = graph.shapes
    used = np.flatnonzero(np.bincount(graph.typing.shape)).tolist()
    locals_ = [number for number in used if names[number].name == _LOCALS]
    pools = np.flatnonzero(np.isin(graph.typing.shape, locals_) & graph.reachable)
    if not len(pools):
        return
    top, pool = _tops(graph, meant, pools, [n for n in used if names[n].name in _PARTS])
    inside = np.flatnonzero(top >= 0)
    sums = np.bincount(top[inside], graph.objects.size_of(inside), len(top)).astype(np.int64)
    put = np.flatnonzero(sums)
    for row in whose.rows(
        POOLED,
        whose.leading(put),
        sums[put],
        lambda node: _ADVICE,
        below=whose.leading(pool[put]),
    ):
        yield replace(row, field=_INSIDE.sub("", row.field))


def _by_pools_alone(graph: HeapGraph, meant: Meanings, pools: Ints) -> NDArray[np.bool_]:
    """What only ways through pools lead to: of all that pools lead to not what is entered from
    outside of that, and where one comes to from there without another pool."""
    nodes = graph.nodes
    inside = reach(nodes.first, nodes.target, pools.astype(np.int32)).mask
    entered = inside[nodes.target] & ~inside[meant.source] & (meant.rule != GARBAGE)
    via = np.where(inside, UNREACHED, START).astype(np.int64)
    via[pools] = START
    onward(nodes.first, nodes.target, via, nodes.target[entered])
    alone: NDArray[np.bool_] = inside & (via == UNREACHED)
    return alone


def _tops(
    graph: HeapGraph, meant: Meanings, pools: Ints, parts: list[int]
) -> tuple[Ints, NDArray[np.int32]]:
    """Of each object that only pools keep the one that was put into the pool and leads to it (-1
    for all others, and for what the pools themselves are made of), and the pool's array."""
    nodes, n = graph.nodes, len(graph.objects)
    barred = np.zeros(len(nodes), bool)
    barred[pools] = True
    only = _by_pools_alone(graph, meant, pools)[:n] & ~barred[:n]
    own = np.isin(graph.typing.shape, parts) & only
    via = graph.reach.via[:n]
    above = np.arange(len(nodes), dtype=np.int32)
    led = np.flatnonzero(only & (via >= 0))
    above[led] = meant.source[via[led]]
    pool = furthest(above)[:n]
    above = np.arange(len(nodes), dtype=np.int32)
    chosen = np.flatnonzero(only & ~own & (via >= 0))
    source = meant.source[via[chosen]]
    # What was put in stands in an interface of a pool's part: it is its own top.
    inner = ~((source < n) & (barred[source] | np.r_[own, np.zeros(len(nodes) - n, bool)][source]))
    above[chosen[inner]] = source[inner]
    top = furthest(above)[:n].astype(np.int64)
    top[~(only & ~own)] = -1
    return top, pool
