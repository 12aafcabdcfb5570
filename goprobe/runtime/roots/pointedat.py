"""Values of a stack that have no name but that of the variables which point at them."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence

import msgspec

from goprobe.binary.dwarf.gotypes import GoType
from goprobe.runtime.roots.frameshapes import WORD, FrameShape, FrameVariable
from goprobe.runtime.stacks.unwind import MachineFrame


class PointedAt(msgspec.Struct, frozen=True):
    """A value at [low, high) of a stack; `name` is the variable's that points at it. `many`: a
    slice does, whose length says how many there are."""

    low: int
    high: int
    name: str
    type: GoType
    many: bool

    def holds(self, address: int, fits: Callable[[GoType, int], bool]) -> bool:
        """Whether a pointer at an address may be a part of it; `fits` says whether a type has one
        so far from its beginning."""
        return self.low <= address < self.high and fits(self.type, address - self.low)

    def at(self, cfa: int) -> FrameVariable:
        return FrameVariable(self.low - cfa, self.high - cfa, f"*{self.name}", self.type)


def pointed_at(
    shapes: Sequence[tuple[MachineFrame, FrameShape]],
    stack: tuple[int, int],
    word: Callable[[int], int],
) -> list[PointedAt]:
    """What the variables of the frames point at on their own `stack`, whose words `word` reads.

    What has an address and pointers is a stack object of its frame (emitStackObjects of
    cmd/compile/internal/liveness): what claims to reach farther is an array that stands for one of
    unknown length.
    """
    homes = sorted(
        (frame.cfa + o.low, frame.cfa + o.low + o.size)
        for frame, shape in shapes
        for o in shape.objects
    )
    values = []
    for frame, shape in shapes:
        for lead in shape.leads:
            low = word(frame.cfa + lead.place)
            if not stack[0] <= low < stack[1]:
                continue
            go_type = lead.type
            if lead.many:
                go_type = go_type.repeated(word(frame.cfa + lead.place + 2 * WORD))
            home = bisect_right(homes, (low, stack[1])) - 1
            if home >= 0 and low + go_type.size <= homes[home][1]:
                high = low + go_type.size
                values.append(PointedAt(low, high, lead.name, go_type, lead.many))
    return values
