"""The objects of allocation sites in the heap's graph: their types, what they keep, who holds them.

Only sampled objects are known by their sites. What they keep and who holds them is told of these
alone, and never scaled: it is no sum over objects.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

import msgspec
import numpy as np
from msgspec import UNSET
from msgspec.structs import replace

from goprobe.analysis.heap.graph import HeapGraph
from goprobe.analysis.heap.kinds import alike_roots, shown_alike
from goprobe.analysis.heap.reach import UNREACHED
from goprobe.analysis.heap.sites import allocation_of, by_stack
from goprobe.model.heap import HeapReport
from goprobe.model.sites import Allocation, Holder, Site, SiteType, scaled
from goprobe.runtime.heap.objects import Ids
from goprobe.runtime.heap.spantable import Ints
from goprobe.runtime.profiles.memoryprofile import MemoryProfile

_MOST_HOLDERS = 10
NOBODY = "nobody: it waits to be collected"


class _Sampled(msgspec.Struct, frozen=True):
    """Sampled objects: the node of each, the row of its site, and the size that was asked for."""

    node: Ids
    row: Ints
    size: Ints


def allocated(graph: HeapGraph, node: int) -> Allocation:
    """Where one object was allocated."""
    profile = graph.snapshot.profile
    if profile is None:
        return Allocation(why="the profile of the heap was not read")
    low = int(graph.objects.base[node])
    high = low + int(graph.objects.size_of(slice(node, node + 1))[0])
    return allocation_of(graph.world, profile, low, high)


def held_sites(report: HeapReport, graph: HeapGraph, *, types: bool, retained: bool) -> HeapReport:
    """The report's sites with the types of their objects, what these keep and who holds them."""
    profile = graph.snapshot.profile
    if profile is None or report.sites is UNSET or report.sampling is UNSET:
        return report
    sites = list(report.sites)
    rate = profile.rate if report.sampling.scaled else 1
    sampled = _sampled(graph, profile, rate)
    if types:
        by_site = _types(graph, sampled, rate)
        sites = [replace(s, types=by_site.get(i, {})) for i, s in enumerate(sites)]
    if retained:
        sites = _retained(graph, sampled, sites)
    return replace(report, sites=tuple(sites))


def _sampled(graph: HeapGraph, profile: MemoryProfile, rate: int) -> _Sampled:
    """Those that are objects of the graph, by sites in the report's order."""
    rows, sizes = dict[int, int](), dict[int, int]()
    for number, alike in enumerate(by_stack(profile, rate)):
        for site in alike:
            rows[site.bucket.address], sizes[site.bucket.address] = number, site.bucket.size
    nodes, _ = graph.resolve(profile.objects)
    row = np.array([rows.get(at, -1) for at in profile.bucket.tolist()], np.int64)
    size = np.array([sizes.get(at, 0) for at in profile.bucket.tolist()], np.int64)
    there = (nodes >= 0) & (row >= 0)
    return _Sampled(nodes[there], row[there], size[there])


def _types(graph: HeapGraph, sampled: _Sampled, rate: int) -> Mapping[int, dict[str, SiteType]]:
    """Of each site its objects by type, most bytes first."""
    counts: Counter[tuple[int, str, int]] = Counter()
    names: dict[int, str] = {}
    shapes = graph.typing.shape[sampled.node].tolist()
    for node, shape, row, size in zip(
        sampled.node.tolist(), shapes, sampled.row.tolist(), sampled.size.tolist(), strict=True
    ):
        if shape not in names:
            names[shape] = graph.type_name(node) or "?"
        counts[row, names[shape], size] += 1
    sums: dict[int, dict[str, SiteType]] = defaultdict(dict)
    for (row, name, size), count in counts.items():
        objects, amount = scaled(count, size, rate)
        before = sums[row].get(name, SiteType(0, 0))
        sums[row][name] = SiteType(before.objects + objects, before.bytes + amount)
    return {
        row: dict(sorted(types.items(), key=lambda item: (-item[1].bytes, item[0])))
        for row, types in sums.items()
    }


def _retained(graph: HeapGraph, sampled: _Sampled, sites: Sequence[Site]) -> list[Site]:
    """With what the sampled objects of each site alone keep, and who holds these."""
    kinds = np.full(len(graph.nodes), -1, np.int32)
    kinds[sampled.node] = sampled.row
    outermost = graph.dominators.outermost(kinds)[sampled.node]
    kept = np.zeros(len(sites), np.int64)
    np.add.at(kept, sampled.row[outermost], graph.retained[sampled.node[outermost]])
    holders = _holders(graph, sampled)
    counted = np.bincount(sampled.row, minlength=len(sites))
    return [
        replace(
            site,
            sampled_objects=int(counted[i]),
            retained_bytes=int(kept[i]),
            holders=(told := holders.get(i, ())),
            held_by=tuple(holder.name for holder in told),
        )
        for i, site in enumerate(sites)
    ]


_Held = tuple[int, bool]
"""The first of the roots that mean the same, and whether others hold the object, too."""


def _holders(graph: HeapGraph, sampled: _Sampled) -> Mapping[int, tuple[Holder, ...]]:
    """Of each site who holds its objects: the root that alone does, or one of several."""
    alike, n = alike_roots(graph), len(graph.objects)
    sums: dict[int, Counter[_Held]] = defaultdict(Counter)
    counts: dict[int, Counter[_Held]] = defaultdict(Counter)
    roots: dict[tuple[int, _Held], set[int]] = defaultdict(set)
    sizes = graph.objects.size_of(sampled.node).tolist()
    for node, holder, row, size in zip(
        sampled.node.tolist(),
        _roots_of(graph)[sampled.node].tolist(),
        sampled.row.tolist(),
        sizes,
        strict=True,
    ):
        others = holder == graph.nodes.root
        root = _one_root(graph, node) if others else holder
        held = (int(alike[root - n]) if root >= n else -1, others)
        sums[row][held] += size
        counts[row][held] += 1
        roots[row, held].add(root)

    def named(row: int, held: _Held) -> str:
        first, others = held
        if first < 0:
            return NOBODY
        return shown_alike(graph, sorted(roots[row, held])) + (" and others" if others else "")

    return {
        row: tuple(
            Holder(named(row, held), counts[row][held], amount)
            for held, amount in by_holder.most_common(_MOST_HOLDERS)
        )
        for row, by_holder in sums.items()
    }


def _roots_of(graph: HeapGraph) -> Ids:
    """Of each node the nearest root above it in the tree of who alone keeps what; the root of all
    where several hold it, -1 where nobody does."""
    tree, n = graph.dominators, len(graph.objects)
    order, above = tree.order, tree.above
    is_object = order < n
    jump = np.where(is_object, above, np.arange(len(order), dtype=above.dtype))
    while not np.array_equal(further := jump[jump], jump):
        jump = further
    holders = np.full(len(graph.nodes), -1, np.int32)
    holders[order] = order[jump]
    return holders


def _one_root(graph: HeapGraph, node: int) -> int:
    """A root that leads to an object, by a shortest way."""
    via, nodes = graph.reach.via, graph.nodes
    while nodes.is_object(node):
        edge = int(via[node])
        if edge == UNREACHED:
            break
        node = nodes.source_of(edge)
    return node
