"""The resident pages of the Go heap, divided by what they are for.

The runtime counts what spans hold, whatever of it is in memory; the kernel knows which pages are.
Pages in use that are not there (never touched, or swapped out) are looked up by their spans, so
that they are taken from what they belong to.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec
from msgspec.structs import replace

from goprobe.process.proc.pagemap import Runs
from goprobe.runtime.heap.heap import Heap, Span
from goprobe.runtime.heap.pagebits import PageBits

_MOST_SPANS = 20_000  # looked up, a read or two each


class HeapSums(msgspec.Struct, frozen=True, kw_only=True):
    """What the runtime has counted, in bytes: `objects` allocated, of which the last collection
    found `live` alive (none where there was none), spans of objects, stacks, its own books."""

    objects: int
    live: int
    in_use: int
    stacks: int
    books: int

    @property
    def whole(self) -> int:
        return self.in_use + self.stacks + self.books


class HeapPages(msgspec.Struct, frozen=True, kw_only=True):
    """Resident bytes; `returned` pages were given back and are there all the same. `absent` are
    bytes of what spans hold that are not resident. Of stacks in spans, `thread_stacks` are those
    of the threads that Go makes: their g0's and signal handlers'."""

    live: int
    since: int
    free_in_spans: int
    stacks: int
    thread_stacks: int
    books: int
    free: int
    returned: int
    absent: int


class _Absent(msgspec.Struct):
    """Of pages in use that are not in memory, how many bytes belong to what."""

    live: int = 0
    since: int = 0
    free: int = 0
    manual: int = 0


def divided(
    heap: Heap,
    bits: Sequence[PageBits],
    sums: HeapSums,
    resident: Runs,
    of_threads: Sequence[tuple[int, int]],
) -> HeapPages:
    """The heap's resident bytes: they add up, to the byte. `of_threads` are stacks [low, high) of
    threads in it."""
    used = free = returned = 0
    absent = _Absent()
    left = _MOST_SPANS
    for low, high, in_use, given_back in _merged(bits):
        there = resident.within(low, high)
        if in_use:
            used += there
            if there < high - low:
                left = _look_up(heap, absent, _holes(resident, low, high), left)
        elif given_back:
            returned += there
        else:
            free += there
    pages = _settled(sums, absent, used, free, returned)
    own = min(sum(resident.within(*stack) for stack in of_threads), pages.stacks)
    return replace(pages, stacks=pages.stacks - own, thread_stacks=own)


def _settled(sums: HeapSums, absent: _Absent, used: int, free: int, returned: int) -> HeapPages:
    """What is not there taken from what it belongs to; what the two sums differ in, as memory is
    counted a moment after it is taken, from what is free, and then from objects."""
    parts = {
        "live": sums.live - absent.live,
        "since": sums.objects - sums.live - absent.since,
        "free_in_spans": sums.in_use - sums.objects - absent.free,
        "stacks": sums.stacks - absent.manual,
        "books": sums.books,
    }
    parts = {name: max(size, 0) for name, size in parts.items()}
    rest = used - sum(parts.values())
    for name in ("free_in_spans", "since", "live", "stacks", "books"):
        change = max(rest, -parts[name])
        parts[name] += change
        rest -= change
    absent_bytes = max(sums.whole - used, 0)
    return HeapPages(free=free, returned=returned, absent=absent_bytes, thread_stacks=0, **parts)


def _merged(bits: Sequence[PageBits]) -> Iterator[tuple[int, int, bool, bool]]:
    last: tuple[int, int, bool, bool] | None = None
    for low, high, used, back in (run for chunk in bits for run in chunk.runs()):
        state = (used, back and not used)
        if last and last[1] == low and last[2:] == state:
            last = (last[0], high, *state)
        else:
            if last:
                yield last
            last = (low, high, *state)
    if last:
        yield last


def _holes(resident: Runs, low: int, high: int) -> Iterator[tuple[int, int]]:
    at = low
    for start, end in resident.between(low, high):
        if start > at:
            yield at, start
        at = end
    if at < high:
        yield at, high


def _look_up(heap: Heap, absent: _Absent, holes: Iterator[tuple[int, int]], left: int) -> int:
    """Counts holes by the spans that they lie in; how many more may be looked up."""
    for low, high in holes:
        at = low
        while at < high:
            span = heap.span_at(at) if left > 0 else None
            left -= 1
            end = min(span.end, high) if span else high
            _count(heap, absent, span, at, end)
            at = end
    return left


def _count(heap: Heap, absent: _Absent, span: Span | None, low: int, high: int) -> None:
    size = high - low
    if span is None:
        absent.since += size
    elif not heap.in_use(span):
        absent.manual += size
    elif not span.size_class:
        if heap.survived(span, 0):
            absent.live += size
        elif span.alloc_count:
            absent.since += size
        else:
            absent.free += size
    else:  # what was never touched of a span of small objects lies behind all that it gave out
        begun = span.base + span.freeindex * span.elemsize
        behind = max(high - max(low, begun), 0)
        absent.free += behind
        if heap.survived(span, (low - span.base) // span.elemsize):
            absent.live += size - behind
        else:
            absent.since += size - behind
