"""The shapes of objects that carry their own type: those over 512 bytes (see `bitmaps`)."""

from __future__ import annotations

import msgspec
import numpy as np
from numpy.typing import NDArray

from goprobe.process.memory.copies import Words
from goprobe.runtime.heap.grouping import groups
from goprobe.runtime.heap.objects import Ids
from goprobe.runtime.heap.spantable import Ints
from goprobe.runtime.types.heapview import HeapView
from goprobe.runtime.types.shapes import Shapes


class Carried(msgspec.Struct, frozen=True):
    """Objects by what their types tell: `single` values, and the shape of each; the `others` that
    are of one shape (arrays, and what is vague); `closures`; the inner `parts` of maps, by their
    types."""

    single: tuple[Ints, Ids]
    others: list[tuple[int, Ints]]
    closures: list[Ints]
    parts: list[tuple[int, Ints]]


def carried(view: HeapView, shapes: Shapes, nodes: Ints, rtypes: Words) -> Carried:
    """Programs may have thousands of such types: what can be is done for all of them at once."""
    closures, parts = list[Ints](), list[tuple[int, Ints]]()
    types, own = list[int](), np.zeros(len(nodes), np.int64)
    for rtype, rows in groups(rtypes, np.argsort(rtypes, kind="stable")):
        if rtype and shapes.is_part_of_map(rtype):
            parts.append((rtype, nodes[rows]))
        elif rtype and shapes.is_of_closure(rtype):
            closures.append(nodes[rows])
        elif rtype:
            types.append(rtype)
            own[rows] = len(types)
    nodes, own = nodes[own != 0], own[own != 0] - 1
    number = np.array([shapes.of_rtype(rtype) for rtype in types], np.int32)
    whole = _may_be(view, shapes, number, nodes, own)
    vague = np.array([shapes.is_vague(shape) for shape in number.tolist()], bool)
    plain = whole & ~vague[own]
    others, rest = list[tuple[int, Ints]](), np.flatnonzero(~plain)
    for kind, rows in groups(own[rest], np.argsort(own[rest], kind="stable")):
        some = rest[rows]
        others.append((int(number[kind]), nodes[some[whole[some]]]))
        others.append((shapes.array_of_rtype(types[kind]), nodes[some[~whole[some]]]))
    return Carried((nodes[plain], number[own[plain]]), others, closures, parts)


def _may_be(
    view: HeapView, shapes: Shapes, number: Ids, nodes: Ints, own: Ints
) -> NDArray[np.bool_]:
    """Whether each object may be one value of the shape `number[own]`."""
    every = [shapes[shape] for shape in number.tolist()]
    size = np.array([shape.size for shape in every], np.int64)
    pointers = np.array([shape.pointers for shape in every], bool)
    return view.may_hold(size[own], pointers[own], nodes)
