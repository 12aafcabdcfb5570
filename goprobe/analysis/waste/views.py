"""What part of each object is in anybody's reach: the union of all slices, strings and pointers
that lead into it.

Of a slice or a string the words beside the pointer say how far it reaches. What has no type, and
what is no slice, string or pointer to a value of known size, reaches all of its target.
"""

from __future__ import annotations

import msgspec
import numpy as np
from numpy.typing import NDArray

from goprobe.analysis.heap.graph import HeapGraph
from goprobe.analysis.heap.nodes import NO_OFFSET
from goprobe.analysis.waste.meanings import GARBAGE, Meanings
from goprobe.runtime.heap.objects import Ids
from goprobe.runtime.heap.spantable import Ints
from goprobe.runtime.roots.groups import RootKind
from goprobe.runtime.types.shape import Rule

LARGE = 256  # bytes: pointers of any kind to larger objects may keep more than they lead to
_NOWHERE = 1 << 60
_SIZED = (Rule.TEXT, Rule.SLICE, Rule.ONE)


class Views(msgspec.Struct, frozen=True, kw_only=True):
    """Columns, one entry for each pointer: it is the graph's edge `edge`, and reaches [low, high)
    of `target`, as far as `end` where it is a slice that may grow. All in bytes from the object's
    beginning. `rule` is what the pointer means, `unit` the bytes of one value (0: not known)."""

    edge: Ints
    target: Ids
    rule: NDArray[np.int8]
    unit: Ints
    low: Ints
    high: Ints
    end: Ints

    def where(self, rows: NDArray[np.bool_] | Ints) -> Views:
        edge, target, rule = self.edge[rows], self.target[rows], self.rule[rows]
        low, high, end = self.low[rows], self.high[rows], self.end[rows]
        unit = self.unit[rows]
        return Views(edge=edge, target=target, rule=rule, unit=unit, low=low, high=high, end=end)


class Reached(msgspec.Struct, frozen=True, kw_only=True):
    """Of each object in `target` (ascending): `covered` bytes are in reach, from `starts` on, and
    as far as `end` slices may grow. `runs` is in how many pieces they lie. `least` is what the
    object holds at least: what takes up less would have got a smaller slot."""

    target: Ids
    covered: Ints
    end: Ints
    starts: Ints
    runs: Ints
    least: Ints


def views_of(graph: HeapGraph, meant: Meanings) -> Views:
    """Every slice and string, and every other pointer to what these lead to, or to large objects.

    Blocks of several small values are led to by strings and slices alone.
    """
    nodes, n = graph.nodes, len(graph.objects)
    heads = meant.of(Rule.TEXT, Rule.SLICE)
    whole = np.zeros(len(nodes), bool)
    whole[nodes.target[heads]] = True
    whole[:n] |= (graph.objects.spans.elemsize >= LARGE)[graph.objects.span]
    whole[:n] &= graph.reachable & ~graph.view.tiny
    wanted = whole[nodes.target] & (meant.rule != GARBAGE)
    wanted[heads] = True
    edge = np.flatnonzero(wanted)
    return _read(graph, meant, edge[nodes.target[edge] < n])


def _read(graph: HeapGraph, meant: Meanings, edge: Ints) -> Views:
    nodes = graph.nodes
    source, target, rule = meant.source[edge], nodes.target[edge], meant.rule[edge]
    unit = np.where(rule == Rule.TEXT, 1, meant.unit[meant.pointee[edge]])
    size = graph.objects.size_of(target)
    low = nodes.into[edge].astype(np.int64)
    low[(low == NO_OFFSET) | ~np.isin(rule, _SIZED)] = 0  # these reach all of it
    high, end = size.copy(), size.copy()
    rows = np.flatnonzero(((rule == Rule.TEXT) | (rule == Rule.SLICE)) & (unit > 0))
    high[rows] = low[rows] + np.minimum(
        _beside(graph, edge[rows], source[rows], 1) * unit[rows], size[rows]
    )
    rows = rows[rule[rows] == Rule.SLICE]
    end[rows] = low[rows] + np.minimum(
        _beside(graph, edge[rows], source[rows], 2) * unit[rows], size[rows]
    )
    # What an object that begins with a value goes on with is not known: the runtime's own tables
    # are made so, longer than their types say (itabAdd, src/runtime/iface.go, Go 1.21 to 1.27).
    begins = graph.typing.inner[target] & (low == graph.lead[graph.objects.span[target]])
    known = (unit > 0) & ~(begins & (rule == Rule.ONE))
    # Of a slice of constant length a frame keeps the pointer alone.
    known &= ~((rule == Rule.ONE) & _in_frames(graph, source) & (2 * unit <= size))
    one = np.flatnonzero((rule == Rule.ONE) & known)
    high[one] = low[one] + unit[one]
    high = np.minimum(high, size)
    sized = np.isin(rule, (Rule.TEXT, Rule.ONE)) & known
    end[sized] = high[sized]
    return Views(
        edge=edge,
        target=target,
        rule=rule,
        unit=unit,
        low=np.minimum(low, size),
        high=high,
        end=np.minimum(np.maximum(end, high), size),
    )


def _in_frames(graph: HeapGraph, source: Ids) -> NDArray[np.bool_]:
    """Whether each is a variable in a frame of a goroutine."""
    n = len(graph.objects)
    frames = np.zeros(len(graph.nodes), bool)
    for i, group in enumerate(graph.nodes.groups):
        frames[n + i] = group.kind in (RootKind.VARIABLE, RootKind.GOROUTINE)
    return frames[source]


def _beside(graph: HeapGraph, edge: Ints, source: Ids, step: int) -> Ints:
    """The word beside each pointer: a length. What makes no sense counts as all there is."""
    words = graph.view.word_before(edge, source.astype(np.int64), step)
    most = np.uint64(1 << 40)
    return np.where(words < most, words, most).astype(np.int64)


def reached(graph: HeapGraph, views: Views) -> Reached:
    """What of each object is in reach."""
    lonely = np.bincount(views.target, minlength=len(graph.objects))[views.target] == 1
    alone, others = _alone(views.where(lonely)), _united(graph, views.where(~lonely))
    target = np.concatenate((alone[0], others[0]))
    order = np.argsort(target, kind="stable")
    target = target[order]
    covered, end, starts, runs = (
        np.concatenate(columns)[order] for columns in zip(alone[1], others[1], strict=True)
    )
    span = graph.objects.span[target]
    lead = graph.lead[span]
    return Reached(
        target=target,
        covered=covered + lead,
        end=end,
        starts=starts - lead,
        runs=runs,
        least=graph.view.below[span] + lead + 1,
    )


_Columns = tuple[Ids, tuple[Ints, Ints, Ints, Ints]]
"""Targets; covered, end, starts, runs: as in Reached, but without type headers."""


def _alone(views: Views) -> _Columns:
    """Of objects that one view leads to."""
    some = views.high > views.low
    starts = np.where(some, views.low, _NOWHERE)
    return views.target, (views.high - views.low, views.end, starts, some.astype(np.int64))


def _united(graph: HeapGraph, views: Views) -> _Columns:
    """Of objects that several views lead to."""
    order = np.lexsort((views.low, views.target))
    low, high = views.low[order], views.high[order]
    target, which = np.unique(views.target[order], return_inverse=True)
    size = graph.objects.size_of(target)
    # All objects behind one another, so that one sweep does for all of them.
    begin = np.cumsum(size) - size
    start, stop = begin[which] + low, begin[which] + high
    before = np.zeros(len(stop), np.int64)
    before[1:] = np.maximum.accumulate(stop)[:-1] if len(stop) else 0
    fresh = np.maximum(stop - np.maximum(start, before), 0)
    opens = (start > before) | np.r_[True, np.diff(which) > 0][: len(which)]
    opens &= stop > start
    count = len(target)
    ends, lows = np.zeros(count, np.int64), np.full(count, _NOWHERE, np.int64)
    np.maximum.at(ends, which, views.end[order])
    np.minimum.at(lows, which, np.where(high > low, low, _NOWHERE))
    covered = np.bincount(which, fresh, count).astype(np.int64)
    return target, (covered, ends, lows, np.bincount(which, opens, count).astype(np.int64))
