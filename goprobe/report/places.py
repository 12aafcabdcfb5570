"""Where the pages of one look tell of an address or a goroutine: an object of the heap by itself, a
goroutine's row, a row of the memory map."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping

import msgspec
from msgspec import UNSET

from goprobe.model.attached import GoroutinesReport, MapsReport
from goprobe.model.heap import HeapReport
from goprobe.model.report import Report

MOST_GOROUTINES = 5_000
MOST_REGIONS = 20_000
"""How many rows the pages show."""


class Stretches(msgspec.Struct, frozen=True):
    """Stretches of memory in order of address, and what the place of each is called on its page."""

    lows: list[int]
    highs: list[int]
    names: list[str]

    def at(self, address: int) -> str:
        i = bisect_right(self.lows, address) - 1
        return self.names[i] if i >= 0 and address < self.highs[i] else ""

    def within(self, low: int, high: int) -> list[str]:
        """The names of those that begin in [low, high)."""
        return self.names[bisect_left(self.lows, low) : bisect_left(self.lows, high)]


class Places(msgspec.Struct, frozen=True, kw_only=True):
    """`here` is the file of the page that asks; each of the others the file that has such rows, ""
    for a page that is alone."""

    here: str
    heap: str
    goroutines: str
    maps: str
    objects: Stretches
    stacks: Stretches
    regions: Stretches
    numbers: frozenset[int]

    def of(self, address: int) -> str:
        """The link to what most is said of an address, "" where this page says it already, or none
        does."""
        if name := self.objects.at(address):
            return self._link(self.heap, name)
        if self.here != self.goroutines and (name := self.stacks.at(address)):
            return self._link(self.goroutines, name)
        if self.here != self.maps and (name := self.regions.at(address)):
            return self._link(self.maps, name)
        return ""

    def goroutine(self, number: int) -> str:
        return self._link(self.goroutines, f"g{number}") if number in self.numbers else ""

    def region(self, address: int) -> str:
        """The link to the row of the memory map that an address is in, "" where no page has it."""
        name = self.regions.at(address)
        return self._link(self.maps, name) if name else ""

    def objects_in(self, low: int, high: int) -> list[tuple[str, str]]:
        """Address and link of the objects in a stretch of memory that are told by themselves."""
        return [(n[1:], self._link(self.heap, n)) for n in self.objects.within(low, high)]

    def seen_from(self, file: str) -> Places:
        return msgspec.structs.replace(self, here=file)

    def _link(self, file: str, name: str) -> str:
        return f"#{name}" if file == self.here else f"{file}#{name}"


def places_of(reports: Mapping[str, Report]) -> Places:
    """Of the reports of one look, by the files of their pages, as the first of these has them."""
    objects: list[tuple[int, int, str]] = []
    stacks: list[tuple[int, int, str]] = []
    regions: list[tuple[int, int, str]] = []
    numbers: frozenset[int] = frozenset()
    files = {"heap": "", "goroutines": "", "maps": ""}
    for file, report in reports.items():
        match report:
            case HeapReport():
                files["heap"] = file
                told = () if report.examples is UNSET else report.examples
                objects = [(e.address, e.address + max(e.size, 1), f"o{e.address}") for e in told]
            case GoroutinesReport():
                files["goroutines"] = file
                shown = report.goroutines[:MOST_GOROUTINES]
                stacks = [(g.stack.low, g.stack.high, f"g{g.id}") for g in shown]
                numbers = frozenset(g.id for g in shown)
            case MapsReport():
                files["maps"] = file
                regions = [(r.low, r.high, f"m{r.low}") for r in report.map[:MOST_REGIONS]]
    return Places(
        here=next(iter(reports), ""),
        **files,
        objects=_stretches(objects),
        stacks=_stretches(stacks),
        regions=_stretches(regions),
        numbers=numbers,
    )


def _stretches(ranges: Iterable[tuple[int, int, str]]) -> Stretches:
    each = sorted(ranges)
    return Stretches(
        [low for low, _, _ in each], [high for _, high, _ in each], [n for *_, n in each]
    )
