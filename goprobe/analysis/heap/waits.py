"""What blocked goroutines wait on: channels, and semaphores and conditions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from goprobe.analysis.heap.blocked import (
    CHANNELS,
    NEVER,
    Candidate,
    Wait,
    plain,
    reason_numbers,
)
from goprobe.analysis.heap.channelwaits import Channel, ChannelWaits
from goprobe.analysis.heap.graph import HeapGraph
from goprobe.analysis.heap.semawaits import SemaWaits
from goprobe.analysis.heap.stackedges import StackEdges
from goprobe.runtime.goroutines.goroutines import Goroutine
from goprobe.runtime.heap.objects import Ids
from goprobe.runtime.heap.spantable import Ints

_NEVER, _CHANNEL, _OTHER = range(3)
"""What a goroutine hangs in."""


class Waits:
    """What each of some goroutines waits on that hang in something (blocked.hanging)."""

    def __init__(
        self, graph: HeapGraph, goroutines: Sequence[Goroutine], stacks: StackEdges
    ) -> None:
        self._goroutines, self._layout = goroutines, graph.world.layout
        self._reasons = [plain(reason) for reason in graph.world.goroutines.wait_reasons]
        self._numbers = reason_numbers(goroutines)
        of_reason = np.array([_way(reason) for reason in self._reasons], np.int64)
        self._way = way = of_reason[self._numbers]
        self._channel_rows = np.flatnonzero(way == _CHANNEL)
        self._other_rows = np.flatnonzero(way == _OTHER)
        self._place = np.zeros(len(goroutines), np.int64)
        for rows in (self._channel_rows, self._other_rows):
            self._place[rows] = np.arange(len(rows))
        self._on_channels = ChannelWaits(graph, *self._some(self._channel_rows))
        self._on_semaphores = SemaWaits(
            graph, *self._some(self._other_rows), stacks, self._other_rows
        )

    def _some(self, rows: Ints) -> tuple[Sequence[Goroutine], Sequence[str]]:
        reasons = [self._reasons[number] for number in self._numbers[rows].tolist()]
        if len(rows) == len(self._goroutines):
            return self._goroutines, reasons
        return [self._goroutines[row] for row in rows.tolist()], reasons

    def candidate(self, row: int) -> Candidate:
        """One of the goroutines."""
        way, place = self._way[row], int(self._place[row])
        if way == _CHANNEL:
            return self._on_channels.candidate(place)
        if way == _OTHER:
            return self._on_semaphores.candidates[place]
        return Candidate(g=self._goroutines[row], reason=self._reasons[self._numbers[row]])

    def rows(self, reason: str) -> list[int]:
        """Those that wait for it."""
        numbers = [number for number, known in enumerate(self._reasons) if known == reason]
        return np.flatnonzero(np.isin(self._numbers, numbers)).tolist()

    # The same of all of them, for the search

    def awake(self) -> NDArray[np.bool_]:
        """Of each whether it can run whatever leads to what it waits on."""
        awake = np.zeros(len(self._goroutines), np.bool_)
        awake[self._channel_rows] = self._on_channels.awake
        awake[self._other_rows] = [bool(c.awake) for c in self._on_semaphores.candidates]
        return awake

    def unsure(self) -> dict[int, str]:
        """By their rows, why it cannot be told."""
        unsure = {
            int(self._channel_rows[place]): why for place, why in self._on_channels.unsure().items()
        }
        others = zip(self._other_rows.tolist(), self._on_semaphores.candidates, strict=True)
        return unsure | {row: c.unsure for row, c in others if c.unsure}

    def pairs(self) -> tuple[Ids, Ids]:
        """The objects that they wait on, ascending, each with the row of one that does."""
        nodes, places = self._on_channels.pairs()
        sure = zip(self._other_rows.tolist(), self._on_semaphores.candidates, strict=True)
        others = [(wait.node, row) for row, c in sure for wait in c.waits if wait.node >= 0]
        rest = np.array(others, np.int64).reshape(-1, 2)
        waited = np.concatenate((nodes, rest[:, 0])).astype(np.int32)
        whose = np.concatenate((self._channel_rows[places], rest[:, 1])).astype(np.int32)
        order = np.argsort(waited, kind="stable")
        return waited[order], whose[order]

    def sudogs(self) -> Ids:
        """The objects that they hang in."""
        nodes = np.concatenate((self._on_channels.nodes, self._on_semaphores.nodes))
        return nodes[nodes >= 0].astype(np.int32)

    def hidden(self) -> tuple[Ids, Ids]:
        """The pointers by which sudogs lead to what is waited on, as objects and words in them:
        that someone waits for it keeps nobody alive who could end the wait."""
        sudog = self._layout.struct("sudog")
        parts = []
        for nodes, field in ((self._on_channels.nodes, "c"), (self._on_semaphores.nodes, "elem")):
            there = nodes[nodes >= 0]
            parts.append((there, np.full(len(there), sudog.offset(field) // 8, np.int32)))
        objects, words = (np.concatenate(column) for column in zip(*parts, strict=True))
        return objects.astype(np.int32), words

    @property
    def senders(self) -> frozenset[int]:
        """The sudogs that hang in a channel's queue of senders."""
        return self._on_channels.senders

    def channel(self, address: int) -> Channel | None:
        """One that any of them waits on; None where it cannot be read."""
        return self._on_channels.channel(address)

    def address(self, wait: Wait) -> int:
        """Where that is, of a list where it is not noted, too; 0 where that is not known."""
        return self._on_semaphores.address(wait)


def _way(reason: str) -> int:
    if reason in NEVER:
        return _NEVER
    return _CHANNEL if reason in CHANNELS else _OTHER
