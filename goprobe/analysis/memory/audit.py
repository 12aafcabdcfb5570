"""What holds of `goprobe memory`: its sums against the kernel's, the runtime's own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from goprobe.analysis.audit import audited, check
from goprobe.analysis.locate.auditmaps import Looked
from goprobe.analysis.memory.heappages import HeapSums
from goprobe.analysis.memory.there import Whole
from goprobe.counts import counted
from goprobe.model.memory import MemoryReport
from goprobe.model.report import Audited
from goprobe.runtime.heap.pagebits import PageBits

_UNDER_WAY = 64 << 20  # a span may be taken from the bitmap a little before it is counted


class MemoryFacts(msgspec.Struct, frozen=True):
    report: MemoryReport
    looked: Looked | None
    whole: Whole | None
    sums: HeapSums | None
    pages: Sequence[PageBits]


@check("the parts add up to what is resident")
def parts_add_up(facts: MemoryFacts) -> Iterator[str]:
    """To the byte."""
    whole = sum(part.bytes for part in facts.report.parts)
    if whole != facts.report.kernel.rss:
        yield f"the parts add up to {whole:,}, and {facts.report.kernel.rss:,} are resident"


@check("as much is resident of each mapping as the kernel's own sums say")
def as_smaps_says(facts: MemoryFacts) -> Iterator[str]:
    """To the page, where the process stands."""
    if facts.looked is not None:
        yield from facts.looked.disagreements()


@check("as much is resident in all as the kernel's own sum says")
def as_the_kernel_says(facts: MemoryFacts) -> Iterator[str]:
    """Of a process that is too large for smaps."""
    if facts.whole is not None:
        yield from facts.whole.disagreements()


@check("as many pages of the heap are in use as the runtime's sums of its spans say")
def pages_in_use(facts: MemoryFacts) -> Iterator[str]:
    """The page allocator's bitmaps know no spans, the sums no pages."""
    if facts.sums is None or not facts.pages:
        return
    used = sum(bits.in_use.bit_count() * bits.size for bits in facts.pages)
    if abs(used - facts.sums.whole) > _UNDER_WAY:
        yield f"{used:,} bytes of pages are in use, the spans' sums are {facts.sums.whole:,}"


@check("the fields of MemStats agree with one another, and with runtime/metrics")
def memstats_agree(facts: MemoryFacts) -> Iterator[str]:
    """What ReadMemStats itself holds to be equal (doubleCheckReadMemStats, mstats.go)."""
    stats, values = facts.report.memstats, facts.report.metrics
    if not stats:
        return
    if stats["HeapAlloc"] > stats["HeapInuse"]:
        yield f"HeapAlloc {stats['HeapAlloc']:,} is more than HeapInuse {stats['HeapInuse']:,}"
    total = values.get("/memory/classes/total:bytes")
    if total is not None and abs(total - stats["Sys"]) > _UNDER_WAY:
        yield f"Sys is {stats['Sys']:,}, /memory/classes/total:bytes {total:,}"


@check("no part is negative, or larger than the process")
def parts_make_sense(facts: MemoryFacts) -> Iterator[str]:
    """A single part is at most all of it."""
    for part in facts.report.parts:
        if not 0 <= part.bytes <= facts.report.kernel.rss:
            yield f"{part.name} has {counted(part.bytes, 'byte')}"


_CHECKS = (
    parts_add_up,
    as_smaps_says,
    as_the_kernel_says,
    pages_in_use,
    memstats_agree,
    parts_make_sense,
)


def audit_memory(facts: MemoryFacts) -> tuple[Audited, ...]:
    """All of it."""
    return audited(_CHECKS, facts)
