"""What part of each object is in anybody's reach: the union of all slices, strings and pointers
that lead into it.

Each pointer means what the type of the object (or variable) says that it stands in: of a slice or
a string the words beside it say how far it reaches. What has no type, and what is no slice, string
or pointer to a value of known size, reaches all of its target.
"""

from __future__ import annotations

import msgspec
import numpy as np
from numpy.typing import NDArray

from goprobe.analysis.heap.graph import HeapGraph
from goprobe.analysis.heap.nodes import NO_OFFSET
from goprobe.runtime.heap.objects import Ids
from goprobe.runtime.heap.spantable import Ints
from goprobe.runtime.types.shape import Rule

_WORD = 8
_LEAST = 256  # bytes: of smaller objects nothing worth telling can be out of reach


class Views(msgspec.Struct, frozen=True, kw_only=True):
    """Columns, one entry for each pointer to an object of some size: it is at `edge` of `source`,
    and reaches [low, high) of `target`, as far as `end` where it is a slice that may grow. All in
    bytes from the object's beginning. `rule` is what the pointer means."""

    edge: Ints
    source: Ids
    target: Ids
    rule: NDArray[np.int64]
    low: Ints
    high: Ints
    end: Ints


class Reached(msgspec.Struct, frozen=True, kw_only=True):
    """Of each object in `target` (ascending): `covered` bytes are in reach of `views` pointers,
    from `starts` on, and what they are a part of ends at `end`. `runs` is in how many pieces they
    lie."""

    target: Ids
    covered: Ints
    end: Ints
    starts: Ints
    runs: Ints


def views_of(graph: HeapGraph, *, least: int = _LEAST) -> Views:
    """Every pointer to an object of at least `least` bytes that something reachable leads to."""
    nodes, n = graph.nodes, len(graph.objects)
    wanted = np.zeros(len(nodes), bool)
    wanted[:n] = (graph.objects.size >= least) & graph.reachable
    edge = np.flatnonzero(wanted[nodes.target])
    source = nodes.sources_of(edge).astype(np.int32)
    alive = np.ones(len(nodes), bool)
    alive[:n] = graph.reachable
    edge, source = edge[alive[source]], source[alive[source]]
    target, low = nodes.target[edge], nodes.into[edge].astype(np.int64)
    size = graph.objects.size[target]
    rule, unit = _meaning(graph, edge, source)
    high, end = size.copy(), size.copy()
    low = np.where(nodes.into[edge] == NO_OFFSET, 0, low)
    low[rule == 0] = 0
    for kind in (Rule.TEXT, Rule.SLICE):
        rows = np.flatnonzero((rule == kind) & (unit > 0))
        length = _beside(graph, edge[rows], source[rows], 1)
        high[rows] = low[rows] + np.minimum(length * unit[rows], size[rows])
        if kind is Rule.SLICE:
            room = _beside(graph, edge[rows], source[rows], 2)
            end[rows] = low[rows] + np.minimum(room * unit[rows], size[rows])
    one = np.flatnonzero((rule == Rule.ONE) & (unit > 0))
    high[one] = low[one] + unit[one]
    # A slot is less than twice as large as what it was made for: beyond that lies something else.
    sized = np.flatnonzero(((rule == Rule.ONE) | (rule == Rule.TEXT)) & (unit > 0))
    end[sized] = np.where(2 * high[sized] < size[sized], size[sized], high[sized])
    # What reaches all of it, from the beginning on
    low[(rule != Rule.TEXT) & (rule != Rule.SLICE) & (rule != Rule.ONE)] = 0
    return Views(
        edge=edge,
        source=source,
        target=target,
        rule=rule,
        low=np.minimum(low, size),
        high=np.minimum(high, size),
        end=np.minimum(np.maximum(end, high), size),
    )


def _meaning(graph: HeapGraph, edge: Ints, source: Ids) -> tuple[Ints, Ints]:
    """Of each pointer its rule, and the bytes of one value that it leads to (0: not known)."""
    n, nodes = len(graph.objects), graph.nodes
    view = graph.view
    of_root = np.zeros(len(nodes) - n, np.int64)
    of_root[: len(view.roots.shapes)] = view.roots.shapes
    heap = source < n
    shape = np.where(heap, graph.typing.shape[np.where(heap, source, 0)], 0).astype(np.int64)
    shape[~heap] = of_root[source[~heap] - n]
    at = nodes.offset[edge].astype(np.int64) - view.lead_words(source.astype(np.int64))
    at[nodes.offset[edge] == NO_OFFSET] = -1
    rule, unit = np.zeros(len(edge), np.int64), np.zeros(len(edge), np.int64)
    order = np.argsort(shape, kind="stable")
    cuts = np.flatnonzero(np.diff(shape[order])) + 1
    for rows in np.split(order, cuts) if len(order) else ():
        number = int(shape[rows[0]])
        if number:
            rule[rows], unit[rows] = _of_shape(graph, number, at[rows])
    return rule, unit


def _of_shape(graph: HeapGraph, number: int, at: Ints) -> tuple[Ints, Ints]:
    shape = graph.shapes[number]
    rules, targets = shape.rules
    word = np.where(at >= 0, at % shape.words if shape.words else at, len(rules))
    if shape.part[0]:  # only a part of it is known
        word = np.full(len(at), len(rules))
    known = word < len(rules)
    word = np.where(known, word, 0)
    rule = np.where(known, rules[word], 0)
    pointee = np.where(known, targets[word], 0)
    units = np.zeros(len(graph.shapes) + 1, np.int64)
    for each in np.unique(pointee).tolist():
        units[each] = max(graph.shapes[each].size, 0) if each else 0
    unit = units[pointee]
    unit[rule == Rule.TEXT] = 1
    return rule, unit


def _beside(graph: HeapGraph, edge: Ints, source: Ids, step: int) -> Ints:
    """The word beside each pointer: a length. What makes no sense counts as all there is."""
    words = graph.view.word_before(edge, source.astype(np.int64), step)
    most = np.uint64(1 << 40)
    return np.where(words < most, words, most).astype(np.int64)


def reached(graph: HeapGraph, views: Views) -> Reached:
    """What of each object is in reach."""
    order = np.lexsort((views.low, views.target))
    target, low, high = views.target[order], views.low[order], views.high[order]
    target, which = np.unique(target, return_inverse=True)
    size = graph.objects.size[target]
    # All objects behind one another, so that one sweep does for all of them.
    begin = np.cumsum(size) - size
    start, stop = begin[which] + low, begin[which] + high
    before = np.zeros(len(stop), np.int64)
    before[1:] = np.maximum.accumulate(stop)[:-1] if len(stop) else 0
    fresh = np.maximum(stop - np.maximum(start, before), 0)
    opens = (start > before) | np.r_[True, np.diff(which) > 0][: len(which)]
    count = len(target)
    ends = np.zeros(count, np.int64)
    np.maximum.at(ends, which, views.end[order])
    lows = np.full(count, 1 << 60, np.int64)
    np.minimum.at(lows, which, low)
    return Reached(
        target=target,
        covered=np.bincount(which, fresh, count).astype(np.int64)
        + graph.lead[graph.objects.span[target]],
        end=ends,
        runs=np.bincount(which, opens, count).astype(np.int64),
        starts=lows - graph.lead[graph.objects.span[target]],
    )
