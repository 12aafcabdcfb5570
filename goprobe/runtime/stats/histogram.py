"""The runtime's histograms of durations: src/runtime/histogram.go, Go 1.21 to 1.27."""

from __future__ import annotations

from functools import cache

import msgspec

from goprobe.runtime.heap.classsizes import CLASS_TO_SIZE
from goprobe.runtime.layout.record import Record

# timeHistMinBucketBits, timeHistMaxBucketBits, timeHistSubBucketBits, histogram.go.
_MIN_BITS, _MAX_BITS, _SUB_BITS = 9, 48, 2
_SUBS = 1 << _SUB_BITS
_SECOND = 1e9


class Histogram(msgspec.Struct, frozen=True):
    """`counts[i]` of values in [buckets[i], buckets[i + 1]); None at either end is infinity."""

    counts: tuple[int, ...]
    buckets: tuple[float | None, ...]


def durations(record: Record) -> Histogram:
    """Of a timeHistogram, in seconds, as runtime/metrics has it (timeHistogram.write)."""
    counts = (record["underflow"], *record.words("counts"), record["overflow"])
    return Histogram(counts, _seconds())


@cache
def _seconds() -> tuple[float | None, ...]:
    first = [j << (_MIN_BITS - 1 - _SUB_BITS) for j in range(_SUBS)]
    rest = [
        1 << (i - 1) | j << (i - 1 - _SUB_BITS)
        for i in range(_MIN_BITS, _MAX_BITS)
        for j in range(_SUBS)
    ]
    last = 1 << (_MAX_BITS - 1)
    return (None, *(nanoseconds / _SECOND for nanoseconds in (*first, *rest, last)), None)


def by_size(small: tuple[int, ...], large: int) -> Histogram:
    """Objects by size class, as runtime/metrics has them (initMetrics, metrics.go)."""
    bounds = (1.0, *(float(size + 1) for size in CLASS_TO_SIZE[1:]), None)
    return Histogram((*small[1:], large), bounds)
