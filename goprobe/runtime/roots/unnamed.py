"""What is known of the words of a frame that have no name."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from goprobe.runtime.roots.frameshapes import WORD, FrameShape, FrameVariable
from goprobe.runtime.stacks.unwind import MachineFrame
from goprobe.runtime.world import World

TEMPORARY = "a temporary"
_CALLS_MOST = 8  # that led to a frame: of more it is not asked what they handed on


def calls_of(frames: Sequence[MachineFrame]) -> dict[int, tuple[int, ...]]:
    """By CFA of each frame of a stack, innermost first, a pc within the call that it stands in, and
    within those that led to it, as far as these are certain."""
    led: dict[int, tuple[int, ...]] = {}
    calls: tuple[int, ...] = ()
    for frame in reversed(frames):
        called = frame.lookup == frame.pc - 1 and not (frame.guessed or frame.trap)
        calls = (frame.lookup, *calls[: _CALLS_MOST - 1]) if called else ()
        led[frame.cfa] = calls
    return led


def unnamed(
    world: World, frame: MachineFrame, shape: FrameShape, place: int, word: Callable[[int], int]
) -> FrameVariable:
    """What a word at a place of a frame is part of. `word` reads a word of the stack."""
    closure = _closure(world, frame, shape, place, word)
    return closure or FrameVariable(place, place + WORD, TEMPORARY, None)


def _closure(
    world: World, frame: MachineFrame, shape: FrameShape, place: int, word: Callable[[int], int]
) -> FrameVariable | None:
    """The closure on the stack that a place of a frame is part of. It begins with the address of
    its code, which is no pointer (src/runtime/runtime2.go, funcval)."""
    home = shape.object_at(place)
    if home is None or not home.pointers or not home.pointers[0]:
        return None
    code = word(frame.cfa + home.low)
    spot = world.code.spot(code)
    if spot is None or spot.function.entry != code:
        return None
    name = f"closure {world.shown_name(spot.name)}"
    return FrameVariable(home.low, home.low + home.size, name, None, code=code)
