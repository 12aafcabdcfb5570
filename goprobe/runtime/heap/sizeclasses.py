"""Which sizes of values share a slot's size.

Source: src/internal/runtime/gc/sizeclasses.go (runtime/sizeclasses.go to 1.24); the same from Go
1.21 to 1.27. Larger objects have spans of their own, in whole pages (mheap.go).
"""

from __future__ import annotations

import numpy as np

from goprobe.runtime.heap.spantable import Ints, SpanTable

CLASSES = np.array(
    (0, 8, 16, 24, 32, 48, 64, 80, 96, 112, 128, 144, 160, 176, 192, 208, 224, 240, 256, 288, 320,
     352, 384, 416, 448, 480, 512, 576, 640, 704, 768, 896, 1024, 1152, 1280, 1408, 1536, 1792,
     2048, 2304, 2688, 3072, 3200, 3456, 4096, 4864, 5376, 6144, 6528, 6784, 6912, 8192, 9472,
     9728, 10240, 10880, 12288, 13568, 14336, 16384, 18432, 19072, 20480, 21760, 24576, 27264,
     28672, 32768)
)  # fmt: skip
PAGE = 8192  # _PageSize, runtime/malloc.go, Go 1.21 to 1.27
TINY_BYTES = 16
"""Values without pointers that are smaller share such blocks (malloc.go, maxTinySize)."""


def next_smaller(spans: SpanTable) -> Ints:
    """Of each span, the largest size that would still get a smaller slot."""
    at = np.searchsorted(CLASSES, spans.elemsize)
    classed = CLASSES[np.clip(at - 1, 0, len(CLASSES) - 1)]
    below: Ints = np.where(spans.spanclass > 1, classed, spans.elemsize - PAGE)
    return below


def slot_sizes(sizes: Ints) -> Ints:
    """The slot that each size gets."""
    at = np.searchsorted(CLASSES, sizes)
    small = CLASSES[np.minimum(at, len(CLASSES) - 1)]
    slots: Ints = np.where(sizes <= CLASSES[-1], small, -(-sizes // PAGE) * PAGE)
    return slots
