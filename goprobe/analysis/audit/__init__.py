"""What a report checks of itself before it is written, one file for each kind of report.

    @check("of no region is more resident than its size")
    def resident_fits(facts: MapsFacts) -> Iterator[str]:
        for region in facts.report.map: ...
            yield what contradicts the claim, in a sentence

A check compares what the report says in two places, or what it says with a fact that was found
another way. It is cheap, and it reads nothing that the answer did not need.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import Generic, TypeVar

import msgspec
from msgspec.structs import replace

from goprobe.model.report import Audited, Report
from goprobe.version import __version__

F = TypeVar("F")
R = TypeVar("R", bound=Report)

_MOST_TOLD = 3
_MOST_COUNTED = 1000


class Check(msgspec.Struct, Generic[F], frozen=True):
    """A claim, and what finds the facts that contradict it."""

    name: str
    claim: str
    faults: Callable[[F], Iterable[str]]

    def of(self, facts: F) -> Audited:
        faults = list(islice(self.faults(facts), _MOST_COUNTED))
        return Audited(self.name, not faults, _told(faults) if faults else self.claim)


def check(claim: str) -> Callable[[Callable[[F], Iterator[str]]], Check[F]]:
    """Makes a check of the function that looks for what contradicts the claim."""
    return lambda faults: Check(faults.__name__, claim, faults)


def audited(checks: Sequence[Check[F]], facts: F) -> tuple[Audited, ...]:
    """Every check of `checks`, held against the facts."""
    return tuple(each.of(facts) for each in checks)


def together(audits: Iterable[Iterable[Audited]]) -> tuple[Audited, ...]:
    """The checks of several things of one kind as one entry each: what of them does not hold."""
    by_check: dict[str, list[Audited]] = {}
    for entry in (entry for audit in audits for entry in audit):
        known = by_check.setdefault(entry.check, [entry])
        if not entry.holds:
            known[:] = [e for e in known if not e.holds] + [entry]
    return tuple(
        entries[0]
        if entries[0].holds
        else Audited(name, holds=False, says=_told(list(dict.fromkeys(e.says for e in entries))))
        for name, entries in by_check.items()
    )


def finished(report: R, audit: Iterable[Audited], doubts: Iterable[str] = ()) -> R:
    """The report as it is written: with its head, with what it checked of itself, and with what
    is wrong with what it was made from."""
    return replace(
        report,
        goprobe=__version__,
        time=datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        host=os.uname().nodename,
        audit=tuple(audit),
        doubts=tuple(doubts),
    )


def _told(faults: Sequence[str]) -> str:
    more = len(faults) - _MOST_TOLD
    return "; ".join(faults[:_MOST_TOLD]) + (f"; and {more} more" if more > 0 else "")
