"""What the pointer of a Swiss map leads to: tables, or its only group.

Source: src/internal/runtime/maps/map.go (Map.dirPtr, dirLen), Go 1.24 to 1.27.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from goprobe.runtime.heap.spantable import Ints
from goprobe.runtime.types.flowloop import NO_OFFSET
from goprobe.runtime.types.heapview import HeapView
from goprobe.runtime.types.shape import Shape

_Bools = NDArray[np.bool_]


def led_to(view: HeapView, group: Shape, edges: Ints, source: Ints) -> tuple[_Bools, _Bools]:
    """Which edges lead to tables, and which to a group: where dirLen, the word behind, is 0. Of
    words of frames that is not known: then the slot's size tells, unless it fits both."""
    length = view.word_before(edges, source, 1)
    bare = view.graph.offset[edges] == NO_OFFSET
    target = np.minimum(view.graph.target[edges], view.n - 1).astype(np.int64)
    slots = view.objects.spans.elemsize[view.objects.span[target]].astype(np.int64)
    tables: _Bools = slots & (slots - 1) == 0  # a power of two of pointers
    groups = view.may_be(group, target)
    of_tables = np.where(bare, tables & ~groups, length != 0)
    of_group = np.where(bare, groups & ~tables, length == 0)
    return of_tables, of_group
