"""Calls under inspection: what their stubs wrote down, until each has returned."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from goprobe.process.cave import Cave
from goprobe.process.probes import CallHit

_ARGUMENTS = 9

Key = tuple[int, int]
"""(g, bytes from g.stack.hi down to sp): names a running call for as long as it runs."""


@dataclass(slots=True)
class _Site:
    seen: int = 0
    unwritten: list[int] = field(default_factory=list)
    open: dict[Key, CallHit] = field(default_factory=dict)


class Inspected:
    """The calls that have begun and not returned. `lost` are those that never will: the same
    goroutine has made the same call at the same depth again (the first one panicked)."""

    def __init__(self, cave: Cave) -> None:
        self._cave = cave
        self._sites: dict[int, _Site] = {}
        self.lost: list[CallHit] = []

    def take(self, number: int, g: int, depth: int) -> CallHit | None:
        """The call of site `number` that returns to this depth; None if it was not inspected."""
        return self._read(number).open.pop((g, depth), None)

    def remaining(self) -> Iterator[CallHit]:
        """Those that have not returned, at the end of the run."""
        yield from self.lost
        for number in range(len(self._cave.sites)):
            yield from self._read(number).open.values()

    def _read(self, number: int) -> _Site:
        site = self._sites.get(number)
        if site is None:
            site = self._sites[number] = _Site()
        claimed = self._cave.claimed(number)
        if site.seen < claimed or site.unwritten:
            indices = [*site.unwritten, *range(site.seen, claimed)]
            site.seen = claimed
            site.unwritten = [index for index in indices if not self._add(site, number, index)]
        return site

    def _add(self, site: _Site, number: int, index: int) -> bool:
        record = self._cave.record(number, index)
        if record is None:
            return False
        context, fp, sp, g, high = record[_ARGUMENTS : _ARGUMENTS + 5]
        # In the stub the return address is already on the stack.
        call = CallHit(
            self._cave.sites[number], index, g, record[:_ARGUMENTS], context, fp, sp + 8, high
        )
        key = (g, high - call.sp)
        if key in site.open:
            self.lost.append(site.open[key])
        site.open[key] = call
        return True
