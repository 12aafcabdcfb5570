"""Probes of which the program itself notes that, or how often, they ran: nothing stops for them."""

from __future__ import annotations

from goprobe.arch.displaced import CodeCopy
from goprobe.arch.framecount import frame_count
from goprobe.arch.once import noting
from goprobe.arch.stub import StubLayout
from goprobe.process.tracer.events import ProbeSite
from goprobe.process.tracer.points import Plan, Point
from goprobe.process.tracer.stretches import COVERED

_COUNTS = 0
"""What the words of a probe that is counted begin with."""


class NotedProbes:
    """Those of one run. `words` are our side of the memory that we share with the program, `slots`
    is what is to lie in its slots."""

    def __init__(self, plan: Plan, layout: StubLayout, words: memoryview) -> None:
        self._plan, self._layout, self._words = plan, layout, words
        self._begins: dict[int, tuple[ProbeSite, int, int]] = {}
        self.slots = bytearray(layout.more_code_at - layout.slots_at)

    def cover(self, point: Point, site: ProbeSite, most: int, text: bytearray, at: int) -> bool:
        """Whether an instruction tells by itself; then it is made to."""
        layout = self._layout
        slot, word = layout.slot(point.number), layout.slot_word(point.number)
        code = bytes(text[at : at + COVERED])
        made: tuple[bytes, bytes, CodeCopy, int] | None = None
        if site.only_whether and self._plan.apart(site.pc, site.room):
            if once := noting(code, point.address, slot, word, site.room):
                made = once.patch, once.code, once.action, once.word
        elif site.counts and (
            counts := frame_count(code, point.address, slot, word, site.above, most)
        ):
            made = counts.patch, counts.code, counts, _COUNTS
        if made is None or len(made[1]) > layout.SLOT_SIZE:
            return False
        patch, body, point.action, begins = made
        text[at : at + len(patch)] = patch
        into = slot - layout.slots_at
        self.slots[into : into + len(body)] = body
        self._words[(word - layout.data) // 8] = begins
        self._begins[point.number] = site, begins, most
        point.inserted = False
        return True

    def ran(self) -> set[int]:
        """The ids of those of which it was asked whether they ran, and that did."""
        return {
            site.probe_id
            for number, (site, begins, _) in self._begins.items()
            if begins != _COUNTS and self._pair(number)[0] != begins
        }

    def counted(self) -> dict[int, tuple[int, int]]:
        """Of those that were counted: how often they ran, and how often in the own stack."""
        counts: dict[int, tuple[int, int]] = {}
        for number, (site, begins, most) in self._begins.items():
            if begins == _COUNTS:
                inside, outside = self._pair(number)
                ran = min(inside + outside, most)
                counts[site.probe_id] = ran, min(inside, ran)
        return counts

    def _pair(self, number: int) -> tuple[int, int]:
        at = (self._layout.slot_word(number) - self._layout.data) // 8
        return self._words[at], self._words[at + 1]
