"""Calls under inspection: what their stubs wrote down, until each has returned."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from goprobe.process.tracer.cave import Cave
from goprobe.process.tracer.events import CallHit

_ARGUMENTS = 9  # registers of Go's ABIInternal; a record has them first (arch/amd64/stub.py)

Key = tuple[int, int]
"""(g, bytes from g.stack.hi down to sp): names a running call for as long as it runs."""


Begun = tuple[int, tuple[int, ...]]
"""The index of a call, and its record without the claim: see `trampoline.RECORD`."""


class _Site(msgspec.Struct):
    """`seen` calls are noted in records that were read, but for the `unwritten` ones; `open`
    are those that have not returned, `lost` the first that never will."""

    seen: int = 0
    unwritten: list[int] = msgspec.field(default_factory=list)
    open: dict[Key, Begun] = msgspec.field(default_factory=dict)
    lost: list[Begun] = msgspec.field(default_factory=list)
    returned: int = 0


class InspectedCalls:
    """The calls that have begun, and which of them have returned.

    A call that panics never returns, and its goroutine (or another one in the same `runtime.g`)
    may make the next at the same depth: whoever calls from some depth has left all deeper
    frames, so those calls are over. Where so many calls were made since the last look that the
    ring of records did not hold them, all that were open are taken to be.
    """

    def __init__(self, cave: Cave) -> None:
        self._cave = cave
        self._sites: dict[int, _Site] = {}

    def returned(
        self,
        number: int,
        g: int,
        results: tuple[int, ...],
        sp: int,
        high: int,
        tid: int,
        begun: int | None = None,
        look: int = 0,
    ) -> CallHit | None:
        """The call of site `number` that has returned to here, when `begun` had been noted (or as
        many as have been by now); None if it is not known."""
        site = self._read(number, begun)
        call = site.open.pop((g, high - sp), None)
        if call is None:
            return None
        site.returned += 1
        return self._hit(number, call, results, sp, high, tid, look)

    def finished(self, number: int) -> bool:
        """Whether as many calls of the site have returned as are to be inspected."""
        return self._sites[number].returned >= self._cave.inspect

    def settle(self, number: int) -> None:
        """No more calls of the site are wanted."""
        self._sites[number].returned = self._cave.inspect

    def running(self, number: int) -> bool:
        """Whether calls of a site are on their way, so that their returns are to be awaited."""
        site = self._read(number)
        return bool(site.open or site.unwritten)

    def give_up(self, number: int) -> None:
        """Stop waiting for the calls of a site that are on their way."""
        site = self._read(number)
        self._abandon(site, list(site.open))
        site.unwritten = []

    def remaining(self) -> Iterator[CallHit]:
        """At the end of the run: calls that have not returned, for sites with too few that did."""
        for number in range(len(self._cave.sites)):
            site = self._read(number)
            calls = sorted([*site.lost, *site.open.values()])
            for begun in calls[: max(0, self._cave.inspect - site.returned)]:
                yield self._hit(number, begun)

    def _hit(
        self,
        number: int,
        begun: Begun,
        results: tuple[int, ...] = (),
        sp_after: int = 0,
        stack_hi_after: int = 0,
        tid: int = 0,
        look: int = 0,
    ) -> CallHit:
        index, record = begun
        context, fp, sp, g, high = record[_ARGUMENTS:]
        # In the stub the return address is already on the stack.
        return CallHit(
            site=self._cave.sites[number],
            index=index,
            g=g,
            arguments=record[:_ARGUMENTS],
            context=context,
            fp=fp,
            sp=sp + 8,
            stack_hi=high,
            results=results,
            sp_after=sp_after,
            stack_hi_after=stack_hi_after,
            tid=tid,
            look=look,
        )

    def _read(self, number: int, begun: int | None = None) -> _Site:
        site = self._sites.get(number)
        if site is None:
            site = self._sites[number] = _Site()
        claimed = self._cave.claimed(number) if begun is None else begun
        if site.seen < claimed or site.unwritten:
            indices = [*site.unwritten, *self._unseen(site.seen, claimed)]
            site.seen = claimed
            site.unwritten = []
            for index in indices:
                self._add(site, number, index)
        return site

    def _unseen(self, seen: int, claimed: int) -> Iterator[int]:
        """The calls noted since; those that are surely overwritten are not all tried."""
        wanted = self._cave.inspect
        yield from range(seen, min(claimed, wanted))
        yield from range(max(seen, wanted, claimed - self._cave.layout.ring - 1), claimed)

    def _add(self, site: _Site, number: int, index: int) -> None:
        record = self._cave.record(number, index)
        if record is None:
            site.unwritten.append(index)
        elif not record:
            self._abandon(site, list(site.open))
        else:
            _, _, sp, g, high = record[_ARGUMENTS:]
            depth = high - (sp + 8)
            if site.open:
                self._abandon(site, [k for k in site.open if k[0] == g and k[1] >= depth])
            site.open[(g, depth)] = (index, record)

    def _abandon(self, site: _Site, keys: list[Key]) -> None:
        for key in keys:
            begun = site.open.pop(key)
            if len(site.lost) < self._cave.inspect:
                site.lost.append(begun)
