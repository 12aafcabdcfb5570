"""Probes of which the program itself notes that, or how often, they ran: nothing stops for them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property

from goprobe.arch.stub import StubLayout
from goprobe.process.tracer.events import ProbeSite

MORE = 4096
"""So many executions are counted beyond those that are wanted: each that a signal put off was
counted twice."""
_INSIDE, _OUTSIDE, MODE_WORD = range(3)

Noted = tuple[int, int, int, bool]
"""The number of a slot, its probe, what the word begins with that says so when it has run (enough),
and whether it is counted."""


class NotedProbes:
    """Those of one run. `words` are our side of the memory that we share with the program, `wanted`
    says how many executions of a probe are wanted."""

    def __init__(
        self,
        noted: Sequence[Noted],
        probes: Sequence[ProbeSite],
        wanted: Callable[[int], int],
        layout: StubLayout,
        words: memoryview,
    ) -> None:
        self._noted, self._probes, self._wanted = noted, probes, wanted
        self.words = words[(layout.slot_words_at - layout.data) // 8 :]
        self._each = layout.SLOT_WORDS
        self._twice: dict[tuple[int, bool], int] = {}

    @cached_property
    def _begins(self) -> dict[int, int]:
        return {number: begins for number, _, begins, _ in self._noted}

    def ran(self) -> set[int]:
        """The ids of those of which it was asked whether they ran, and that did."""
        words, each, probes = self.words, self._each, self._probes
        return {
            probes[probe].probe_id
            for number, probe, begins, counted in self._noted
            if not counted and words[each * number] != begins
        }

    def counted(self) -> dict[int, tuple[int, int]]:
        """Of those that were counted: how often they ran, up to what is wanted, and how often of
        that in the own stack, which is told of as few as may be."""
        counts: dict[int, tuple[int, int]] = {}
        for number, probe, _, counted in self._noted:
            if counted:
                inside, outside = self._count(number, True), self._count(number, False)
                ran = min(inside + outside, self._wanted(probe))
                counts[self._probes[probe].probe_id] = ran, ran - min(outside, ran)
        return counts

    def _count(self, number: int, inside: bool) -> int:
        word = _INSIDE if inside else _OUTSIDE
        return self.words[self._each * number + word] - self._twice.get((number, inside), 0)

    def put_off(self, number: int, *, inside: bool) -> None:
        """An execution that was counted is about to be counted once more."""
        # Where enough are counted this one may not have been.
        if self.words[self._each * number + MODE_WORD] == self._begins[number]:
            key = number, inside
            self._twice[key] = self._twice.get(key, 0) + 1
