"""What holds of `goprobe maps`: its sizes against one another, and against the kernel's."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence

import msgspec
from msgspec import UNSET

from goprobe.analysis.audit import audited, check
from goprobe.analysis.goroutines.auditthreads import Threads, threads_known
from goprobe.analysis.locate.auditregions import REGIONS, named
from goprobe.counts import counted
from goprobe.model.attached import MapsReport
from goprobe.model.location import Region
from goprobe.model.report import Audited
from goprobe.process.proc.maps import MappingUse
from goprobe.process.proc.procfs import PAGE_SIZE


class Looked(msgspec.Struct, frozen=True):
    """One look at what of some regions is resident, and smaps as it was before and after it.

    `exact`: both count pages of zeros alike.
    """

    regions: Sequence[Region]
    sizes: Sequence[int]
    before: Sequence[MappingUse]
    after: Sequence[MappingUse]
    exact: bool

    def disagreements(self) -> Iterator[str]:
        """The mappings of which more, or less, is resident here than smaps says."""
        lows = [r.low for r in self.regions]
        later = {(u.mapping.low, u.mapping.high): u.rss for u in self.after}
        for use in self.before:
            m = use.mapping
            then = later.get((m.low, m.high))
            within = range(bisect_left(lows, m.low), bisect_left(lows, m.high))
            if then is None or sum(self.regions[i].size for i in within) != m.size:
                continue  # mapped otherwise by now
            here = sum(self.sizes[i] for i in within)
            # What grows or shrinks while it is looked at may be anywhere near the two readings.
            slack = PAGE_SIZE + abs(then - use.rss)
            least, most = min(use.rss, then) - slack, max(use.rss, then) + slack
            if here < least or (here > most and self.exact):
                yield (
                    f"{here} bytes of [{m.low:#x}, {m.high:#x}) {m.path} are resident, and smaps "
                    f"says {use.rss} before, {then} after"
                )


class MapsFacts(msgspec.Struct, frozen=True):
    """`looked` is None for a core file, whose sizes no kernel tells."""

    report: MapsReport
    looked: Looked | None
    threads: Threads = Threads()


@check("no region holds more bytes than its size")
def bytes_fit(facts: MapsFacts) -> Iterator[str]:
    for r in facts.report.map:
        for what, count in (("resident", r.rss), ("stored", r.stored)):
            if count is not UNSET and not 0 <= count <= r.size:
                yield f"{counted(count, 'byte')} of {named(r)} are said to be {what}, of {r.size}"


@check("what the regions hold adds up to what there is in all")
def bytes_add_up(facts: MapsFacts) -> Iterator[str]:
    report = facts.report
    for what, parts, whole in (
        ("resident", [r.rss for r in report.map], report.rss),
        ("stored", [r.stored for r in report.map], report.stored),
    ):
        if (told := sum(n for n in parts if n is not UNSET)) != (whole or 0):
            yield f"the regions have {told} {what} bytes, the process {whole or 0}"


@check("of each mapping as much is resident as the kernel's smaps says")
def kernel_agrees(facts: MapsFacts) -> Iterator[str]:
    if facts.looked:
        yield from facts.looked.disagreements()


def audit_maps(facts: MapsFacts) -> tuple[Audited, ...]:
    mine = audited((bytes_fit, bytes_add_up, kernel_agrees), facts)
    threads = audited((threads_known,), facts.threads)
    return audited(REGIONS, facts.report.map) + mine + threads
