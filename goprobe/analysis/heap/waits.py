"""What blocked goroutines wait on: channels, and semaphores and conditions."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

import numpy as np

from goprobe.analysis.heap.blocked import CHANNELS, NEVER, Candidate, Wait, plain
from goprobe.analysis.heap.channelwaits import Channel, ChannelWaits
from goprobe.analysis.heap.graph import HeapGraph
from goprobe.analysis.heap.semawaits import SemaWaits
from goprobe.analysis.heap.stackedges import StackEdges
from goprobe.runtime.goroutines.goroutines import Goroutine
from goprobe.runtime.heap.objects import Ids


class Waits:
    """What each of some goroutines waits on that hang in something (blocked.hanging)."""

    def __init__(
        self, graph: HeapGraph, goroutines: Sequence[Goroutine], stacks: StackEdges
    ) -> None:
        self._goroutines, self._layout = goroutines, graph.world.layout
        reasons = [plain(reason) for reason in graph.world.goroutines.wait_reasons]
        self._reasons = [reasons[g.wait_reason] for g in goroutines]
        rows = [i for i, r in enumerate(self._reasons) if r in CHANNELS]
        others = [i for i, r in enumerate(self._reasons) if r not in CHANNELS and r not in NEVER]
        self._rows = rows + others
        self._on_channels = ChannelWaits(graph, *self._some(rows))
        self._on_semaphores = SemaWaits(
            graph, *self._some(others), stacks, np.array(others, np.int64)
        )

    def _some(self, rows: Sequence[int]) -> tuple[list[Goroutine], list[str]]:
        return [self._goroutines[i] for i in rows], [self._reasons[i] for i in rows]

    def candidates(self) -> list[Candidate]:
        """Each goroutine, in their order."""
        every: list[Candidate | None] = [None] * len(self._goroutines)
        told = chain(self._on_channels.candidates(), self._on_semaphores.candidates())
        for row, candidate in zip(self._rows, told, strict=True):
            every[row] = candidate
        never = zip(self._goroutines, self._reasons, strict=True)
        return [c or Candidate(g=g, reason=r) for c, (g, r) in zip(every, never, strict=True)]

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
