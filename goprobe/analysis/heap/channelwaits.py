"""Which channels blocked goroutines wait on, and whether each is in its queue still: of a hundred
thousand at once."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from functools import cached_property

import msgspec
import numpy as np
from numpy.typing import NDArray

from goprobe.analysis.heap.blocked import OUTSIDE, SELECT, WOKEN, Candidate, Wait, astray
from goprobe.analysis.heap.graph import HeapGraph
from goprobe.process.memory.copies import Words
from goprobe.runtime.goroutines.goroutines import Goroutine
from goprobe.runtime.heap.edges import ranges
from goprobe.runtime.heap.objects import FREE_SLOT, Ids
from goprobe.runtime.heap.spantable import Ints
from goprobe.runtime.layout.columns import read_columns, rows_of

_AWAKE = ("", "its channel is no object of the heap", WOKEN)
_UNSURE = (
    "",
    "what it waits in cannot be read",
    "the list of what it waits in is corrupt",
    astray(FREE_SLOT, "channel"),
)
_OUTSIDE, _WOKEN = 1, 2
_UNREAD, _CORRUPT, _ASTRAY = 1, 2, 3
_NOTHING_KNOWN = (_UNREAD, _CORRUPT)


class Channel(msgspec.Struct, frozen=True, gc=False):
    """A hchan (src/runtime/chan.go): how many elements of which type are in how much room;
    `timer` is where that is which sends on it, 0 for none, and up to Go 1.22."""

    address: int
    length: int
    capacity: int
    closed: int
    elemtype: int
    timer: int


class ChannelWaits:
    """Of goroutines that wait in operations on channels, for these `reasons`."""

    def __init__(
        self, graph: HeapGraph, goroutines: Sequence[Goroutine], reasons: Sequence[str]
    ) -> None:
        self._goroutines, self._reasons = goroutines, reasons
        world, lists = graph.world, graph.world.waiting
        row = rows_of(np.array([g.address for g in goroutines], np.uint64), lists.gs)
        self._listed = row >= 0
        begin, end = lists.first[np.maximum(row, 0)], lists.first[np.maximum(row, -1) + 1]
        rows, self._owner = ranges(begin, np.where(self._listed, end, begin))
        self._count = np.bincount(self._owner, minlength=len(goroutines))
        self._sudogs = sudogs = lists.sudogs.take(rows)
        self.nodes, _ = graph.resolve(sudogs.address)
        """The objects that the sudogs are."""
        self._on, _ = graph.resolve(sudogs.channel)
        self._channels, self._which = np.unique(sudogs.channel, return_inverse=True)
        struct = world.layout.struct("hchan")
        self._fields, self._there = read_columns(world.memory, struct, self._channels)
        self._before = rows_of(sudogs.prev, sudogs.address)

    def candidate(self, place: int) -> Candidate:
        """The one at a place among the goroutines."""
        g, reason = self._goroutines[place], self._reasons[place]
        address, channel, on, ends, awakes, doubts = self._views
        if (unsure := doubts[place]) in _NOTHING_KNOWN:
            return Candidate(g=g, reason=reason, unsure=_UNSURE[unsure])
        rows = range(ends[place - 1] if place else 0, ends[place])
        waits = tuple(Wait(address[row], channel[row], on[row]) for row in rows)
        awake = _AWAKE[awakes[place]]
        return Candidate(g=g, reason=reason, waits=waits, awake=awake, unsure=_UNSURE[unsure])

    @cached_property
    def _views(self) -> tuple[memoryview, ...]:
        """What is told of one at a time: as memoryviews, which tell it faster."""
        sudogs, ends = self._sudogs, np.cumsum(self._count)
        columns = (sudogs.address, sudogs.channel, self._on, ends, self._awake, self._doubt)
        return tuple(column.data for column in columns)

    @property
    def awake(self) -> NDArray[np.bool_]:
        """Of each whether it can run whatever leads to its channels."""
        awake: NDArray[np.bool_] = (self._awake != 0) & ~np.isin(self._doubt, _NOTHING_KNOWN)
        return awake

    def unsure(self) -> dict[int, str]:
        """By their places, why it cannot be told."""
        places = np.flatnonzero(self._doubt)
        told = zip(places.tolist(), self._doubt[places].tolist(), strict=True)
        return {place: _UNSURE[code] for place, code in told}

    def pairs(self) -> tuple[Ids, Ints]:
        """The objects that they wait on, each with the place of one that does."""
        known = ~np.isin(self._doubt, _NOTHING_KNOWN)
        kept = (self._on >= 0) & known[self._owner]
        return self._on[kept], self._owner[kept]

    @cached_property
    def senders(self) -> frozenset[int]:
        """The sudogs that hang in a channel's queue of senders."""
        # Twice as far towards the head of its queue each time: one may be very long.
        head = np.where(self._before >= 0, self._before, np.arange(len(self._before)))
        for _ in range(max(len(head), 1).bit_length()):
            head = head[head]
        address = self._sudogs.address
        sends = address[head] == self._fields["sendq.first"][self._which]
        return frozenset(address[sends].tolist())

    def channel(self, address: int) -> Channel | None:
        """One that any of them waits on; None where it cannot be read."""
        channels, (length, capacity, closed, elemtype, timer) = self._columns
        row = bisect_left(channels, address)
        if row == len(channels) or channels[row] != address or not self._there[row]:
            return None
        return Channel(
            address, length[row], capacity[row], closed[row], elemtype[row], timer[row]
        )  # fmt: skip

    @cached_property
    def _columns(self) -> tuple[memoryview, tuple[memoryview, ...]]:
        """The channels, and their fields: as memoryviews, which tell of one at a time faster."""
        names = ("qcount", "dataqsiz", "closed", "elemtype", "timer")
        return self._channels.data, tuple(self._fields[name].data for name in names)

    @cached_property
    def _awake(self) -> Ints:
        outside = np.isin(self._on, OUTSIDE)
        return self._first_of(np.where(outside, _OUTSIDE, np.where(self._queued(), 0, _WOKEN)))

    @cached_property
    def _doubt(self) -> Ints:
        lost = (self._on < 0) & ~np.isin(self._on, OUTSIDE)
        unsure = self._first_of(np.where(lost, _ASTRAY, 0))
        last = np.cumsum(self._count) - 1
        corrupt = np.zeros(len(last), np.bool_)
        some = self._count > 0
        corrupt[some] = self._sudogs.waitlink[last[some]] != 0
        unsure[corrupt] = _CORRUPT
        selects = np.array([reason == SELECT for reason in self._reasons], np.bool_)
        unsure[~self._listed | (~some & ~selects)] = _UNREAD
        return unsure

    def _first_of(self, codes: Ints) -> Ints:
        """Of each goroutine the first code of its sudogs that is not 0."""
        first = np.zeros(len(self._goroutines), np.int64)
        rows = np.flatnonzero(codes)
        owners, at = np.unique(self._owner[rows], return_index=True)
        first[owners] = codes[rows[at]]
        return first

    def _queued(self) -> NDArray[np.bool_]:
        """Whether each is in a queue of its channel: who wakes takes it out (waitq, chan.go)."""
        sudogs, before = self._sudogs, self._before
        after = (before >= 0) & (sudogs.next[before] == sudogs.address)
        firsts: Words = self._fields["recvq.first"][self._which]
        leads = (firsts == sudogs.address) | (
            self._fields["sendq.first"][self._which] == sudogs.address
        )
        queued: NDArray[np.bool_] = np.where(sudogs.prev != 0, after, leads)
        return queued
