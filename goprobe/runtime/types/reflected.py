"""What a reflect.Value holds, by the type and the flags beside its pointer.

Source: src/reflect/value.go (Value, flagIndir), Go 1.21 to 1.27.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from goprobe.runtime.heap.grouping import by_key
from goprobe.runtime.heap.spantable import Ints
from goprobe.runtime.types.flow import HELD_NOWHERE
from goprobe.runtime.types.flowloop import INDIRECT, IS, LEADS
from goprobe.runtime.types.heapview import HeapView
from goprobe.runtime.types.shape import Meaning, Rule
from goprobe.runtime.types.shapes import Shapes


def reflected(
    view: HeapView, shapes: Shapes, edges: Ints, source: Ints
) -> Iterator[tuple[int, Meaning, Ints]]:
    """What the pointers of reflect.Values mean, and the rows of those edges, by keys: the type's
    address, and whether such a pointer leads to the value or is one itself."""
    rtypes = view.word_before(edges, source, -1)
    indirect = view.word_before(edges, source, 1) & np.uint64(INDIRECT) != 0
    for (rtype, leads), rows in by_key(rtypes, indirect):
        key = rtype | (LEADS if leads else IS)
        yield key, _meaning(view, shapes, rtype, bool(leads)), rows


def _meaning(view: HeapView, shapes: Shapes, rtype: int, leads: bool) -> Meaning:
    if view.witnesses.catalog.row(rtype) < 0:
        return Rule.NOTHING, 0
    if leads:
        return Rule.ONE, shapes.of_rtype(rtype)
    direct = shapes.held_directly(rtype)
    return direct if direct and direct[0] not in HELD_NOWHERE else (Rule.NOTHING, 0)
