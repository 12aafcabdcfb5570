"""The variables of frames that stand alike: which they are is worked out once, and each frame has
them at its own places. Of a thousand goroutines most frames do."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from msgspec.structs import replace

from goprobe.process.memory.memory import Memory
from goprobe.runtime.stacks.bindings import Binding
from goprobe.runtime.stacks.frames import FrameView
from goprobe.runtime.values.storage import InMemory, Keeper

# In bytes: so far from a frame lies another one that stands at the same place, to compare with.
_AWAY = 1 << 30

Find = Callable[[FrameView], tuple[list[Binding], bool]]
"""The variables of a frame, and whether what memory holds had no part in which those are."""
_Movable = tuple[tuple[Binding, int | None], ...]
"""Variables without their places, which are so far from the CFA; None for those that have none."""


class Alike:
    """What is known of callers' frames, in which no register is, of all goroutines of one moment
    and one memory."""

    def __init__(self) -> None:
        self._known: dict[FrameView, _Movable | None] = {}

    def of(
        self, frame: FrameView, find: Find, memory: Memory, keeper: Keeper | None
    ) -> Iterator[Binding]:
        """As `find` has them. `keeper` is the frame's."""
        stands = replace(frame, sp=0, cfa=0)
        if stands not in self._known:
            self._known[stands] = _movable(frame, find)
        movable = self._known[stands]
        if movable is None:
            yield from find(frame)[0]
            return
        for binding, offset in movable:
            if offset is None:
                yield binding
            else:
                yield replace(binding, place=InMemory(memory, frame.cfa + offset, keeper))


def _movable(frame: FrameView, find: Find) -> _Movable | None:
    """None where a frame that stands there may have others, or elsewhere."""
    here, sure = find(frame)
    there, _ = find(replace(frame, sp=frame.sp + _AWAY, cfa=frame.cfa + _AWAY))
    if not sure or len(here) != len(there):
        return None
    movable: list[tuple[Binding, int | None]] = []
    for one, other in zip(here, there, strict=True):
        place, elsewhere = one.place, other.place
        bare = replace(one, place=None)
        if one.moved or bare != replace(other, place=None):
            return None
        if place is None and elsewhere is None:
            movable.append((bare, None))
        elif isinstance(place, InMemory) and isinstance(elsewhere, InMemory):
            if elsewhere.address - place.address != _AWAY:
                return None
            movable.append((bare, place.address - frame.cfa))
        else:
            return None
    return tuple(movable)
