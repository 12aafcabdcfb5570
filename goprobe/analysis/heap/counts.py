"""Counts of a heap's graph: what is reached, objects by type, what is kept by each root."""

from __future__ import annotations

from collections import Counter

import numpy as np
from msgspec import UNSET
from numpy.typing import NDArray

from goprobe.analysis.heap.globalnames import shown_root
from goprobe.analysis.heap.graph import HeapGraph
from goprobe.model.address import Address
from goprobe.model.heap import UNREACHED, GraphSummary, RootCount, TypeCount, Untyped
from goprobe.runtime.heap.edges import leading_to
from goprobe.runtime.heap.objects import Ids

_MOST_ROOTS = 200


def reached(graph: HeapGraph) -> GraphSummary:
    reached, objects = graph.reachable, graph.objects
    count, size, whole = int(reached.sum()), 0, 0
    for part in objects.parts():
        sizes = objects.size_of(part)
        size += int(sizes[reached[part]].sum())
        whole += int(sizes.sum())
    return GraphSummary(
        reachable=count,
        unreachable=len(reached) - count,
        edges=graph.nodes.heap_edges,
        reachable_bytes=size,
        unreachable_bytes=whole - size,
        roots=graph.roots.count,
    )


def by_type(graph: HeapGraph, *, retained: bool) -> tuple[TypeCount, ...]:
    """Objects by type, most bytes first; untyped ones are `untyped`'s."""
    outermost: NDArray[np.bool_] | None = None
    if retained:
        rows = np.full(len(graph.nodes), -1, np.int32)
        n = len(graph.objects)
        np.take(graph.shapes_by_name, graph.typing.shape, out=rows[:n], mode="clip")
        outermost = graph.dominators.outermost(rows)[:n]
    return _counted(graph, None, outermost)


def garbage_by_type(graph: HeapGraph) -> tuple[TypeCount, ...]:
    """What is allocated but no root leads to, by type; "?" where that is not known."""
    return _counted(graph, ~graph.reachable, unknown=True)


def _counted(
    graph: HeapGraph,
    chosen: NDArray[np.bool_] | None,
    outermost: NDArray[np.bool_] | None = None,
    *,
    unknown: bool = False,
) -> tuple[TypeCount, ...]:
    """The chosen objects (None: all) by type; what the `outermost` ones keep is retained."""
    typing, objects = graph.typing, graph.objects
    columns = np.zeros((4, graph.shown_count), np.int64)
    first = np.full(graph.shown_count, -1, np.int64)
    for part in objects.parts():
        shape, size, inner = graph.shown(part), objects.size_of(part), typing.inner[part]
        weights = [None, size, inner, None]
        if outermost is not None:
            weights[3] = np.where(outermost[part], graph.retained[part], 0)
        if chosen is not None:
            shape = shape[chosen[part]]
            weights = [None if w is None else w[chosen[part]] for w in weights]
        _note_first(first, shape, part.start, None if chosen is None else chosen[part])
        for column, weight in zip(columns, weights, strict=True):
            column += np.bincount(shape, weight, len(column)).astype(np.int64)
    rows: dict[str, NDArray[np.int64]] = {}
    example: dict[str, int] = {}
    for number in np.flatnonzero(columns[0]).tolist():
        if number or unknown:
            name = graph.shown_name(number)
            rows[name] = rows.get(name, 0) + columns[:, number]
            example[name] = min(example.get(name, len(objects)), int(first[number]))
    counted = {name: row.tolist() for name, row in rows.items()}
    order = sorted(counted.items(), key=lambda item: (-item[1][1], item[0]))
    return tuple(
        TypeCount(
            name,
            n,
            size,
            UNSET if outermost is None else bytes_kept,
            inner=part,
            example=Address(graph.address(example[name])),
        )
        for name, (n, size, part, bytes_kept) in order
    )


def _note_first(
    first: NDArray[np.int64], shape: Ids, start: int, chosen: NDArray[np.bool_] | None
) -> None:
    """Of each shape that was not come to yet, the first object of a part that begins at `start`."""
    nodes = np.arange(len(shape)) if chosen is None else np.flatnonzero(chosen)
    here = np.full(len(first), -1, np.int64)
    here[shape[::-1]] = start + nodes[::-1]  # the last assignment holds
    fresh = (first < 0) & (here >= 0)
    first[fresh] = here[fresh]


def untyped(graph: HeapGraph) -> tuple[Untyped, ...]:
    """What has no type, by size and reason."""
    rows = np.flatnonzero(graph.typing.shape == 0)
    nodes = graph.nodes
    wanted = np.zeros(len(nodes), bool)
    wanted[rows] = True
    edges = leading_to(nodes.target, wanted)
    # Any referrer will do, the first one found.
    referrer = np.full(len(nodes), -1, np.int64)
    referrer[nodes.target[edges][::-1]] = nodes.sources_of(edges[::-1])
    source = np.where(graph.reachable[rows], referrer[rows], -1)
    # Objects that keep others differ in nothing but whether they have types.
    keeper = np.where((source >= 0) & (source < len(graph.objects)), -2, source)
    keeper[keeper == -2] -= graph.typing.shape[source[keeper == -2]] != 0
    span = graph.objects.span[rows]
    size, noscan = graph.objects.spans.elemsize[span], graph.objects.noscan[rows]
    keys = np.stack((size, noscan.astype(np.int64), keeper), axis=1)
    _, firsts, alike = np.unique(keys, axis=0, return_index=True, return_counts=True)
    counts: Counter[tuple[int, bool, str]] = Counter()
    example: dict[tuple[int, bool, str], int] = {}
    for row, count in zip(firsts.tolist(), alike.tolist(), strict=True):
        reason = UNREACHED
        if source[row] >= 0:
            reason = _why_untyped(graph, int(source[row]))
        alike_in = int(size[row]), bool(noscan[row]), reason
        counts[alike_in] += count
        example[alike_in] = min(example.get(alike_in, len(graph.objects)), int(rows[row]))
    return tuple(
        Untyped(each, plain, count, each * count, reason, Address(graph.address(example[key])))
        for key, count in sorted(counts.items())
        for each, plain, reason in (key,)
    )


def _why_untyped(graph: HeapGraph, source: int) -> str:
    if not graph.nodes.is_object(source):
        group = graph.nodes.group(source)
        if group.type is None:
            return f"kept by {group.kind} roots without a type"
    elif not graph.typing.shape[source]:
        return "kept by an object without a type"
    return (
        "kept by a word that does not tell its whole type: an unsafe.Pointer, generic code's, one "
        "to a part of it"
    )


def kept_by_roots(graph: HeapGraph) -> tuple[RootCount, ...]:
    """What each root alone keeps, most first."""
    nodes, kept = graph.nodes, graph.retained
    n = len(graph.objects)
    each = np.zeros(len(nodes), np.int32)
    each[:n] = 1
    counts = graph.dominators.retained(each)
    order = sorted(range(n, nodes.root), key=lambda node: -int(kept[node]))
    rows = []
    for node in order[:_MOST_ROOTS]:
        group = nodes.group(node)
        if not kept[node]:
            break
        rows.append(
            RootCount(
                kind=str(group.kind),
                name=shown_root(graph, node),
                retained_bytes=int(kept[node]),
                objects=int(counts[node]),
                goroutine=group.goroutine,
                address=Address(group.address) if group.address else UNSET,
            )
        )
    return tuple(rows)
