"""Probes of which the program itself notes that, or how often, they ran: nothing stops for them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from goprobe.arch.stub import StubLayout
from goprobe.process.tracer.events import ProbeSite

COUNTS = 0
"""What the words of a probe that is counted begin with."""

Noted = tuple[int, int, int]
"""The number of a slot, its probe, and what its word begins with."""


class NotedProbes:
    """Those of one run. `words` are our side of the memory that we share with the program, `most`
    says how many executions of a probe are wanted."""

    def __init__(
        self,
        noted: Sequence[Noted],
        probes: Sequence[ProbeSite],
        most: Callable[[int], int],
        layout: StubLayout,
        words: memoryview,
    ) -> None:
        self._noted, self._probes, self._most = noted, probes, most
        self._layout, self._words = layout, words

    def ran(self) -> set[int]:
        """The ids of those of which it was asked whether they ran, and that did."""
        pairs, probes = self._pairs, self._probes
        return {
            probes[probe].probe_id
            for number, probe, begins in self._noted
            if begins != COUNTS and pairs[2 * number] != begins
        }

    def counted(self) -> dict[int, tuple[int, int]]:
        """Of those that were counted: how often they ran, and how often in the own stack."""
        counts: dict[int, tuple[int, int]] = {}
        pairs = self._pairs
        for number, probe, begins in self._noted:
            if begins == COUNTS:
                inside, outside = pairs[2 * number], pairs[2 * number + 1]
                ran = min(inside + outside, self._most(probe))
                counts[self._probes[probe].probe_id] = ran, min(inside, ran)
        return counts

    @property
    def _pairs(self) -> memoryview:
        """The two words of each slot."""
        return self._words[(self._layout.slot_words_at - self._layout.data) // 8 :]
