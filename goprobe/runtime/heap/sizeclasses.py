"""Which sizes of values share a slot's size.

Larger objects have spans of their own, in whole pages (mheap.go).
"""

from __future__ import annotations

import numpy as np

from goprobe.runtime.heap.classsizes import CLASS_TO_SIZE
from goprobe.runtime.heap.spantable import Ints, SpanTable

CLASSES = np.array(CLASS_TO_SIZE)
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


_REDZONES = (
    (64 - 16, 16), (128 - 32, 32), (512 - 64, 64), (4096 - 128, 128), ((1 << 14) - 256, 256),
    ((1 << 15) - 512, 512), ((1 << 16) - 1024, 1024), (1 << 62, 2048),
)  # fmt: skip
"""Up to which size a value is followed by so many bytes in programs built with -asan (malloc.go,
redZoneSize, computeRZlog in Go 1.21; Go 1.21 to 1.27)."""


def without_redzone(sizes: Ints) -> Ints:
    """The largest value for which there is room in so many bytes, its redzone included."""
    largest, least = np.zeros_like(sizes), 0
    for limit, zone in _REDZONES:
        fits = np.minimum(sizes - zone, limit)
        largest = np.where(fits > least, fits, largest)
        least = limit
    return largest
