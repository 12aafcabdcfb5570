"""Strings, byte slices and boxed values of equal content that lie in memory more than once."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec
import numpy as np

from goprobe.analysis.heap.graph import HeapGraph
from goprobe.analysis.waste.bytesat import Alike, alike
from goprobe.analysis.waste.views import Views
from goprobe.analysis.waste.whose import MOST_ROWS, Whose, rest_of
from goprobe.counts import counted
from goprobe.model.address import Address
from goprobe.model.heap import Waste
from goprobe.process.memory.copies import Words
from goprobe.runtime.heap.sizeclasses import slot_sizes
from goprobe.runtime.heap.spantable import Ints
from goprobe.runtime.types.shape import Rule
from goprobe.runtime.values.text import escape, quoted

STRINGS, SLICES = "equal strings", "equal byte slices"
_SHOWN = 40
_ONE = "one copy would do: unique.Make, or a map of those that are known already"
_ONE_SLICE = "one copy would do, where nobody writes to them"
_ZEROS = "nothing was ever written to them: allocate them when there is something to write"


class Places(msgspec.Struct, frozen=True):
    """Values in memory, each once: where, by which pointer one comes there, how long, and what each
    costs."""

    address: Words
    edge: Ints
    size: Ints
    cost: Ints

    def where(self, rows: Ints) -> Places:
        return Places(self.address[rows], self.edge[rows], self.size[rows], self.cost[rows])

    def saved(self, group: Ints, count: int) -> Ints:
        """Of each of so many groups of equal ones what all cost but the dearest."""
        dearest = np.zeros(count, np.int64)
        np.maximum.at(dearest, group, self.cost)
        sums: Ints = np.bincount(group, self.cost, count).astype(np.int64)
        return sums - dearest


class Equals(msgspec.Struct, frozen=True):
    """`compared` of `count` values were looked at."""

    rows: tuple[Waste, ...]
    compared: int
    count: int


def equal_bytes(graph: HeapGraph, whose: Whose, views: Views, kind: str) -> Equals:
    """Strings, or slices of single bytes, by content."""
    rule, named = (Rule.TEXT, _string) if kind == STRINGS else (Rule.SLICE, _slice)
    rows = views.rule == rule
    if rule is Rule.SLICE:
        rows &= views.unit == 1
    rows &= (views.high > views.low) & graph.objects.noscan[views.target]
    places = _values(graph, views.where(rows))
    same = alike(graph.world.memory, places.address, places.size)
    told = _by_content(graph, whose, places, same, kind, named)
    return Equals(tuple(told), same.compared, len(places.edge))


def _values(graph: HeapGraph, views: Views) -> Places:
    """What no other view holds a larger part of; in an object of its own, or a tiny block's part.
    (A view of the middle of an object is a part of something longer.)"""
    order = np.lexsort((-views.high, views.low, views.target))
    target, low, high = views.target[order].astype(np.int64), views.low[order], views.high[order]
    # Views of one object behind those of the one before, so that one sweep does for all.
    size = graph.objects.size_of(target)
    fresh = np.r_[True, np.diff(target) > 0][: len(target)]
    base = np.cumsum(np.where(fresh, np.r_[0, size[:-1]][: len(size)], 0))
    stop = base + high
    before = np.r_[0, np.maximum.accumulate(stop)[:-1]][: len(stop)]
    tiny = graph.view.tiny[target]
    own = (fresh | (stop > before)) & ((low == 0) | tiny)
    target, low, length = target[own], low[own], (high - low)[own]
    address = graph.objects.base[target] + low.astype(np.uint64)
    cost = np.minimum(slot_sizes(length), size[own])
    return Places(address, views.edge[order][own], length, np.where(tiny[own], length, cost))


def _by_content(
    graph: HeapGraph,
    whose: Whose,
    places: Places,
    same: Alike,
    kind: str,
    named: Callable[[bytes, int], tuple[str, str]],
) -> Iterator[Waste]:
    """A row for each content, most bytes first; what is beyond the most is one."""
    chosen, group = places.where(same.rows), same.group
    copies = np.bincount(group, minlength=same.count)
    saved = chosen.saved(group, same.count)
    order = np.argsort(group, kind="stable")
    ends = np.cumsum(copies)
    ranked = np.argsort(-saved, kind="stable")
    for number in ranked[:MOST_ROWS].tolist():
        rows = order[ends[number] - copies[number] : ends[number]]
        at, size = int(chosen.address[rows[0]]), int(chosen.size[rows[0]])
        text, advice = named(graph.world.memory.read(at, size), size)
        field, holder = whose.all_of(chosen.edge[rows])
        yield Waste(
            kind=kind,
            type=text,
            field=field,
            holder=holder,
            objects=len(rows),
            bytes=int(saved[number]),
            example=Address(at),
            advice=advice,
        )
    if len(rest := ranked[MOST_ROWS:]):
        row = order[ends[rest[0]] - 1]
        _, advice = named(b"x", 1)
        count, size = int(copies[rest].sum()), int(saved[rest].sum())
        yield rest_of(kind, count, size, Address(int(chosen.address[row])), advice)


def _string(text: bytes, size: int) -> tuple[str, str]:
    return f"{_quoted(text)} ({counted(size, 'byte')})", _ONE


def _slice(text: bytes, size: int) -> tuple[str, str]:
    if not any(text):
        return f"[]byte of {size} zeros", _ZEROS
    return f"[]byte({_quoted(text)}) ({counted(size, 'byte')})", _ONE_SLICE


def _quoted(text: bytes) -> str:
    told = escape(text[:_SHOWN])
    cut = "…" if len(text) > _SHOWN or len(told) > _SHOWN else ""
    return quoted(told[:_SHOWN] + cut)
