"""What every pointer of the heap and its roots means, by the type of what it stands in.

One pass over all pointers, a part at a time: of each a byte for its rule and a number for the type
that it leads to. All that --waste tells of pointers is chosen by these two columns.
"""

from __future__ import annotations

import msgspec
import numpy as np
from numpy.typing import NDArray

from goprobe.analysis.heap.graph import HeapGraph
from goprobe.analysis.heap.nodes import NO_OFFSET
from goprobe.runtime.heap.objects import Ids, parts_of
from goprobe.runtime.heap.spantable import Ints
from goprobe.runtime.types.shape import Rule

GARBAGE = -1
"""In place of a rule: what the pointer stands in is garbage."""


class Meanings(msgspec.Struct, frozen=True):
    """Columns, an entry for each edge of the graph. `word` is where in its type's rules a pointer
    stands (of the flattened rules of all types, an arbitrary but telling number)."""

    rule: NDArray[np.int8]
    pointee: Ids
    source: Ids
    word: Ids
    unit: Ints
    """Of each shape (not of each edge) the bytes of a value, 0 where that is not known."""

    def of(self, *rules: Rule) -> Ints:
        """The edges that mean so."""
        chosen = self.rule == rules[0]
        for rule in rules[1:]:
            chosen |= self.rule == rule
        return np.flatnonzero(chosen)


class _Rules:
    """The rules of all types in use, one behind the other."""

    def __init__(self, graph: HeapGraph, used: Ints) -> None:
        count = len(graph.shapes)
        self.start, self.count, self.period = (np.zeros(count, np.int64) for _ in range(3))
        rules: list[Ints] = [np.zeros(1, np.int64)]
        shapes: list[Ints] = [np.zeros(1, np.int64)]
        at = 1
        for number in used.tolist():
            shape = graph.shapes[number]
            if not number or shape.part[0]:  # of the whole only a part is known
                continue
            rules.append(shape.rules[0])
            shapes.append(shape.rules[1])
            self.start[number], self.count[number] = at, len(shape.rules[0])
            self.period[number] = shape.words
            at += len(shape.rules[0])
        self.rule = np.concatenate(rules).astype(np.int8)
        self.pointee = np.concatenate(shapes).astype(np.int32)

    def places(self, shape: Ids, word: Ints) -> Ints:
        """Where the rule of a word of each shape is: 0, where nothing is said."""
        period = self.period[shape]
        within = np.where(period > 0, word % np.maximum(period, 1), word)
        known = (word >= 0) & (within < self.count[shape])
        return np.where(known, self.start[shape] + within, 0)


def meanings_of(graph: HeapGraph) -> Meanings:
    nodes, n = graph.nodes, len(graph.objects)
    shape = np.zeros(len(nodes), np.int32)
    shape[:n] = graph.typing.shape
    shape[n : n + len(graph.view.roots.shapes)] = graph.view.roots.shapes
    alive = np.ones(len(nodes), bool)
    alive[:n] = graph.reachable
    rules = _Rules(graph, np.flatnonzero(np.bincount(shape)))
    source, count = nodes.sources(), len(nodes.target)
    rule, (pointee, place) = np.empty(count, np.int8), np.empty((2, count), np.int32)
    for part in parts_of(count):
        origin = source[part]
        word = nodes.offset[part].astype(np.int64)
        word[word == NO_OFFSET] = -1
        word -= graph.view.lead_words(origin)
        at = rules.places(shape[origin], word)
        rule[part] = np.where(alive[origin], rules.rule[at], GARBAGE)
        pointee[part], place[part] = rules.pointee[at], at
    unit = np.zeros(len(graph.shapes), np.int64)
    for number in np.flatnonzero(np.bincount(pointee)).tolist():
        unit[number] = max(graph.shapes[number].size, 0) if number else 0
    return Meanings(rule, pointee, source, place, unit)
