"""What size classes add to structs, and what another order of their fields would save.

The compiler lays fields out in the order of the source; the least size has those of the largest
alignment first (cmd/compile/internal/types/size.go, CalcStructSize, Go 1.21 to 1.27: what ends in a
field of size 0 gets a byte more).
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import numpy as np

from goprobe.analysis.heap.graph import HeapGraph
from goprobe.analysis.waste.maps import PARTS
from goprobe.binary.dwarf.gotypes import GoKind
from goprobe.counts import counted
from goprobe.errors import UnreadableError
from goprobe.model.address import Address
from goprobe.model.heap import Waste
from goprobe.runtime.heap.sizeclasses import next_smaller, slot_sizes
from goprobe.runtime.types.shape import WORD
from goprobe.runtime.types.typedata import Field, TypeData

ROUNDED, ORDER = "rounded up", "field order"
_DEPTH_LIMIT = 16
_NAMED = 12  # fields of a struct whose order is told in full
_RUNTIME = ("runtime.", "internal/")  # nobody can change these


class _Count(msgspec.Struct):
    """Of a type: its objects, their bytes, what of it type headers take, and the first one."""

    objects: int
    bytes: int
    lead: int
    first: int


def structs(graph: HeapGraph) -> Iterator[Waste]:
    """By type."""
    counts = _counted(graph)
    below, alignments = next_smaller(graph.objects.spans), _Alignments(graph.world.typedata)
    arrays = {graph.shapes.rtype(n): c for n, c in counts.items() if graph.shapes.is_array(n)}
    for number, count in counts.items():
        shape = graph.shapes[number]
        if shape.size <= 0 or shape.part[0] or shape.name.endswith(PARTS):
            continue
        if shape.name.startswith(_RUNTIME):
            continue
        rtype = graph.shapes.rtype(number)
        if row := _ordered(graph, alignments, rtype, count, arrays.get(rtype)):
            yield row
        if graph.is_tiny(count.first):
            continue  # several values may share a slot
        waste = count.bytes - count.lead - shape.size * count.objects
        lead = count.lead // count.objects
        slot = int(graph.objects.spans.elemsize[graph.objects.span[count.first]])
        under = int(below[graph.objects.span[count.first]])
        if 0 < waste < count.objects * slot // 2:
            yield Waste(
                kind=ROUNDED,
                type=shape.name,
                holder="",
                objects=count.objects,
                bytes=waste,
                example=Address(graph.address(count.first)),
                advice=f"{shape.size} bytes in slots of {slot}: "
                f"{counted(shape.size + lead - under, 'byte')} less, and they fit the class below",
            )


def _counted(graph: HeapGraph) -> dict[int, _Count]:
    typing, objects, every = graph.typing, graph.objects, len(graph.shapes)
    columns = np.zeros((every, 4), np.int64)
    for part in reversed([*objects.parts()]):
        alive = graph.reachable[part] & (typing.shape[part] > 0)
        shape, nodes = typing.shape[part][alive], np.flatnonzero(alive) + part.start
        lead = graph.lead[objects.span[nodes]]
        for column, weight in enumerate((None, objects.size_of(nodes), lead)):
            columns[:, column] += np.bincount(shape, weight, every).astype(np.int64)
        columns[shape[::-1], 3] = nodes[::-1]  # the last assignment holds: the first of all
    return {n: _Count(*columns[n].tolist()) for n in np.flatnonzero(columns[:, 0]).tolist()}


def _ordered(
    graph: HeapGraph,
    alignments: _Alignments,
    rtype: int,
    count: _Count,
    array: _Count | None,
) -> Waste | None:
    """What the same fields would save in another order."""
    typedata = graph.world.typedata
    try:
        fields = typedata.fields(rtype) if rtype else ()
        best = alignments.packed(fields)
    except UnreadableError:
        return None
    size = typedata.size(rtype)
    if not fields or best >= size:
        return None
    each = count.lead // count.objects
    slots = slot_sizes(np.array([size + each, best + each])).tolist()
    saved = (slots[0] - slots[1]) * count.objects
    objects = count.objects
    if array is not None:
        elements = (array.bytes - array.lead) // size
        saved, objects = saved + (size - best) * elements, objects + elements
    if saved <= 0:
        return None
    order = [field.name for field in alignments.ordered(fields)]
    told = ", ".join(order[:_NAMED]) + (", …" if len(order) > _NAMED else "")
    return Waste(
        kind=ORDER,
        type=typedata.full_name(rtype),
        holder="",
        objects=objects,
        bytes=saved,
        example=Address(graph.address(count.first)),
        advice=f"in the order {told} it takes {best} bytes, not {size}: slots of {slots[1]}, not "
        f"{slots[0]}",
    )


class _Alignments:
    """The alignment of each type, worked out once."""

    def __init__(self, typedata: TypeData) -> None:
        self._typedata = typedata
        self._known: dict[int, int] = {}

    def of(self, rtype: int, depth: int = 0) -> int:
        known = self._known.get(rtype)
        if known is None:
            self._known[rtype] = WORD  # should it be made of itself
            known = self._known[rtype] = max(self._made(rtype, depth), 1)
        return known

    def ordered(self, fields: tuple[Field, ...]) -> list[Field]:
        """The largest alignment first, and what has no size before all: at the end it takes a
        byte."""
        size = self._typedata.size
        return sorted(fields, key=lambda field: (size(field.rtype) > 0, -self.of(field.rtype)))

    def packed(self, fields: tuple[Field, ...]) -> int:
        """The bytes that they take in the best order."""
        at = 0
        for field in self.ordered(fields):
            alignment = self.of(field.rtype)
            at = -(-at // alignment) * alignment + self._typedata.size(field.rtype)
        largest = max((self.of(field.rtype) for field in fields), default=1)
        return -(-at // largest) * largest

    def _made(self, rtype: int, depth: int) -> int:
        typedata = self._typedata
        kind, size = typedata.kind(rtype), typedata.size(rtype)
        if depth > _DEPTH_LIMIT:
            return WORD
        if kind is GoKind.ARRAY:
            return self.of(typedata.element(rtype), depth + 1)
        if kind is GoKind.STRUCT:
            return max((self.of(f.rtype, depth + 1) for f in typedata.fields(rtype)), default=1)
        return size // 2 if kind is GoKind.COMPLEX64 else min(size, WORD)
