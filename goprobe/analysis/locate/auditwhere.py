"""What holds of `goprobe where`: an address's identities, against one another and the kernel."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from goprobe.analysis.audit import audited, check
from goprobe.analysis.goroutines.auditthreads import Threads, threads_known
from goprobe.model.attached import Whereabouts, WhereReport
from goprobe.model.location import Kind, Location
from goprobe.model.report import Audited
from goprobe.process.proc.maps import Mapping

# Kinds of which an address can have one only: what is in the binary is not in Go's arenas, not in
# a library, and so on. The runtime's own memory is described by several of its books at once.
_ALONE = (
    frozenset({Kind.TEXT, Kind.RODATA, Kind.DATA, Kind.BSS}),
    frozenset({Kind.HEAP}),
    frozenset({Kind.GOROUTINE_STACK}),
    frozenset({Kind.LIBRARY}),
    frozenset({Kind.FILE}),
    frozenset({Kind.VDSO}),
    frozenset({Kind.UNMAPPED}),
)


class WhereFacts(msgspec.Struct, frozen=True):
    report: WhereReport
    mappings: Sequence[Mapping]
    threads: Threads = Threads()

    def mapping_at(self, address: int) -> Mapping | None:
        at = bisect_right(self.mappings, address, key=lambda m: m.low)
        mapping = self.mappings[at - 1] if at else None
        return mapping if mapping and address < mapping.high else None


def identities(place: Whereabouts) -> Iterable[Whereabouts | Location]:
    return (place, *place.also)


@check("an address lies within the bounds of what it is said to be in")
def within_bounds(facts: WhereFacts) -> Iterator[str]:
    for place in facts.report.locations:
        for one in identities(place):
            for low, high in _bounds(one):
                if not low <= place.address < high:
                    yield f"{place.address} is not in [{low:#x}, {high:#x}): {one.name}"


def _bounds(one: Whereabouts | Location) -> Iterator[tuple[int, int]]:
    detail = one.detail
    low, high = detail.get("low"), detail.get("high")
    if isinstance(low, int) and isinstance(high, int):
        yield low, high
    base, size = detail.get("object"), detail.get("object_size")
    if isinstance(base, int) and isinstance(size, int):
        yield base, base + size


@check("an address's identities can all be true at once")
def identities_agree(facts: WhereFacts) -> Iterator[str]:
    for place in facts.report.locations:
        groups = [g for g in _ALONE if any(one.kind in g for one in identities(place))]
        if len(groups) > 1:
            kinds = dict.fromkeys(str(one.kind) for one in identities(place))
            yield f"{place.address} is said to be {' and '.join(kinds)} at once"


@check("the kernel's mappings allow for what an address is said to be")
def mappings_allow(facts: WhereFacts) -> Iterator[str]:
    for place in facts.report.locations:
        mapping = facts.mapping_at(place.address)
        if (mapping is None) != (place.kind is Kind.UNMAPPED) and place.kind is not Kind.RESERVED:
            there = "nothing" if mapping is None else f"[{mapping.low:#x}, {mapping.high:#x})"
            yield f"{place.address} is said to be {place.kind}, and {there} is mapped there"


@check("a stack lies in one piece of memory that can be written to")
def stacks_whole(facts: WhereFacts) -> Iterator[str]:
    for place in facts.report.locations:
        for one in identities(place):
            if one.kind in (Kind.GOROUTINE_STACK, Kind.SYSTEM_STACK):
                yield from _holes(facts, one)


def _holes(facts: WhereFacts, one: Whereabouts | Location) -> Iterator[str]:
    for low, high in _bounds(one):
        at = low
        while at < high:
            mapping = facts.mapping_at(at)
            if mapping is None or "w" not in mapping.perms:
                what = "not mapped" if mapping is None else mapping.perms
                yield f"{one.name} reaches from {low:#x} to {high:#x}, and {at:#x} is {what}"
                return
            at = mapping.high


@check("every identity says how it is known")
def evidence_given(facts: WhereFacts) -> Iterator[str]:
    for place in facts.report.locations:
        for one in identities(place):
            if not any(one.evidence):
                yield f"nothing shows that {place.address} is {one.kind}"


def audit_where(facts: WhereFacts) -> tuple[Audited, ...]:
    checks = (within_bounds, identities_agree, mappings_allow, stacks_whole, evidence_given)
    return audited(checks, facts) + audited((threads_known,), facts.threads)
