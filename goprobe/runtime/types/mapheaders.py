"""Headers of maps that nothing tells of, by what they lead to.

What groups or buckets hold is often known when nothing is of the map itself: larger ones carry
their type. Only the map's own parts point at the beginning of them: its header, or a table, which
a directory leads to, and to that the header (src/internal/runtime/maps/map.go, table.go, Go 1.24
on; hmap of src/runtime/map.go before).
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import numpy as np

from goprobe.runtime.heap.grouping import distinct, groups, numbers
from goprobe.runtime.heap.objects import Ids
from goprobe.runtime.heap.spantable import Ints
from goprobe.runtime.types.heapview import HeapView
from goprobe.runtime.types.shape import Rule, Shape
from goprobe.runtime.types.shapes import Shapes

_AT_ONCE = 1 << 19  # edges


class _Pointing(msgspec.Struct, frozen=True):
    """Edges that lead to the beginning of parts of maps: the node that each comes out of, the word
    there, and the map's shape."""

    source: Ints
    word: Ints
    map: Ids


def map_headers(view: HeapView, shapes: Shapes, types: Ids) -> Iterator[tuple[int, Ints]]:
    """Shapes of maps, and the objects without a type that are headers of such. `types` are the
    shapes of objects, as far as they are known."""
    around = np.zeros(len(shapes), np.int32)
    for number in numbers(types[: view.n]):
        around[number] = shapes.map_around(number) if number else 0
    of = around[types[: view.n]]
    pointing = _pointing(view, types, of)
    yield from _headers(view, shapes, pointing)
    of[:] = 0
    for number, rows in groups(pointing.map, np.argsort(pointing.map, kind="stable")):
        if (table := _table(shapes, number)) is not None:
            of[_such(view, table, pointing, rows)] = number
    # What points at tables, wherever it does, is their directory.
    pointing = _pointing(view, types, of)
    of[:] = 0
    of[pointing.source] = pointing.map
    yield from _headers(view, shapes, _pointing(view, types, of))


def _pointing(view: HeapView, types: Ids, of: Ids) -> _Pointing:
    """What leads to objects that are parts of a map (0: of none), out of objects without a type."""
    graph = view.graph
    bare = np.flatnonzero(types[: view.n] == 0) if of.any() else np.zeros(0, np.int64)
    parts = [(np.zeros(0, np.int64), np.zeros(0, np.int64))]
    for nodes in graph.in_batches(bare, _AT_ONCE):
        edges, row = graph.edges_of(nodes)
        target = graph.target[edges]
        good = of[target] != 0
        edges, source, target = edges[good], nodes[row[good]], target[good]
        begun = graph.into[edges] == view.lead[view.objects.span[target]]
        parts.append((edges[begun], source[begun]))
    edges, source = (np.concatenate([p[i] for p in parts]) for i in (0, 1))
    word = graph.offset[edges].astype(np.int64) - view.lead_words(source)
    return _Pointing(source, word, of[graph.target[edges]])


def _headers(view: HeapView, shapes: Shapes, pointing: _Pointing) -> Iterator[tuple[int, Ints]]:
    for number, rows in groups(pointing.map, np.argsort(pointing.map, kind="stable")):
        nodes = _such(view, shapes[number], pointing, rows)
        if len(nodes):
            yield number, nodes


def _such(view: HeapView, shape: Shape, pointing: _Pointing, rows: Ints) -> Ints:
    """What may be of a shape: has such a size, and pointers where it has, the first of which is
    what leads to the part."""
    words = np.flatnonzero(shape.rules[0])
    rows = rows[pointing.word[rows] == words[0]]
    nodes = distinct(pointing.source[rows])
    mask = sum(1 << word for word in words.tolist())
    nodes = nodes[view.may_be(shape, nodes)]
    such: Ints = nodes[view.masks(nodes) == mask]
    return such


def _table(shapes: Shapes, number: int) -> Shape | None:
    """The shape of a map's tables; None for the design without."""
    rules, told = shapes[number].rules
    at = np.flatnonzero(rules == Rule.DIRECTORY)
    return shapes[int(told[at[0]])] if len(at) else None
