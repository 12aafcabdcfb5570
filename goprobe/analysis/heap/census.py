"""`goprobe heap`: the census of a process's heap, taken in one short stop."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from goprobe.analysis.audit import finished
from goprobe.analysis.heap.audit import HeapFacts, audit_heap
from goprobe.errors import CannotWorkError, UnreadableError
from goprobe.model.address import Address
from goprobe.model.heap import (
    HeapCensus,
    HeapReport,
    SelfCheck,
    SizeClass,
    SpanMismatch,
    SpanStates,
)
from goprobe.runtime.heap.bookkeeping import Bookkeeping, at_rest
from goprobe.runtime.heap.census import Census, Mismatch
from goprobe.runtime.heap.spantable import HeapCopy
from goprobe.target.goprocess import GoProcess
from goprobe.target.live import AnyTarget, stopped_target

_TRIES = 3
_MOST_MISMATCHES = 20
_DOUBTS_SHOWN, _CUT = 2, "is cut off"  # which explains most of the others


def heap_census(
    target: AnyTarget,
    *,
    timeout: float = 5.0,
    progress: Callable[[str], None] = lambda message: None,
) -> HeapReport:
    """What is allocated on the heap of a running process.

    A stop may fall between two instructions of an allocation, which shows as a span whose count
    is off by one; then the heap is read once more. Raises what `open_target` raises,
    TargetTimeoutError, and CannotWorkError where the runtime's bookkeeping cannot be read.
    """
    progress("reading the binary")
    books = Bookkeeping.of(target.layout, target.program.facts.roots, target.bias)
    for attempt in range(_TRIES):
        progress("counting the heap")
        copy, pause_us = _copied(target, books, timeout, rehearsed=not attempt)
        census = books.count(copy)
        if at_rest(census):
            break
    report = census_report(target.process, census, pause_us, "core" if target.is_core else "stop")
    return finished(report, audit_heap(HeapFacts(report, census)), target.doubts)


def no_bookkeeping(target: AnyTarget, error: UnreadableError) -> CannotWorkError:
    """That the heap's bookkeeping cannot be read, and what is wrong with the core it is in."""
    where = "the core" if target.is_core else f"process {target.pid}"
    return CannotWorkError(
        f"the heap's bookkeeping in {where} cannot be read: {error.why}",
        hint="; ".join(sorted(target.doubts, key=lambda d: _CUT not in d)[:_DOUBTS_SHOWN]),
    )


def census_report(process: GoProcess, census: Census, pause_us: int, how: str) -> HeapReport:
    """The census alone as a report, not held against itself yet."""
    return HeapReport(
        **process.head,
        pause_us=pause_us,
        snapshot=how,
        self_check=self_check(census),
        census=census_of(census),
    )


def _copied(
    target: AnyTarget, books: Bookkeeping, timeout: float, *, rehearsed: bool
) -> tuple[HeapCopy, int]:
    """The heap's bookkeeping at one moment, and how long that took the target (microseconds).

    A rehearsal on the running target finds out where everything lies, and brings it into caches,
    so that the stop is no longer than copying takes.
    """
    known: HeapCopy | None = None
    if rehearsed and not target.is_core:
        with suppress(UnreadableError):
            known = books.copy(target.reader())
    try:
        with stopped_target(target, timeout=timeout) as stopped:
            copy = books.copy(stopped.memory, known)
            stopped.release()
    except UnreadableError as error:
        raise no_bookkeeping(target, error) from None
    return copy, stopped.pause_us


def self_check(census: Census, dangling: int = 0, edges: int = 0) -> SelfCheck:
    return SelfCheck(
        spans=len(census.spans),
        popcount_mismatches=len(census.mismatches),
        dangling_edges=dangling,
        edges_checked=edges,
        unreadable_spans=len(census.unreadable),
        mismatches=tuple(map(_mismatch, census.mismatches[:_MOST_MISMATCHES])),
    )


def _mismatch(mismatch: Mismatch) -> SpanMismatch:
    return SpanMismatch(
        Address(mismatch.span),
        Address(mismatch.base),
        mismatch.counted,
        mismatch.expected,
        mismatch.why,
    )


def census_of(census: Census) -> HeapCensus:
    """The census as it is reported: size classes ascending, large objects last."""
    classes = sorted(census.classes, key=lambda c: (not c.size, c.size, c.noscan))
    return HeapCensus(
        objects=census.objects,
        bytes=census.bytes,
        free_bytes=census.free_bytes,
        classes=tuple(
            SizeClass(c.size, c.noscan, c.objects, c.bytes, c.spans, c.slots, c.free)
            for c in classes
        ),
        span_bytes=census.span_bytes,
        manual_bytes=census.manual_bytes,
        fragmentation=round(census.free_bytes / census.span_bytes, 4) if census.span_bytes else 0,
        tiny_slots=census.tiny_slots,
        spans=SpanStates(
            in_use=len(census.spans),
            manual=len(census.manual),
            dead=census.dead_spans,
            unswept=census.unswept,
        ),
    )
