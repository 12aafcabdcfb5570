"""The machine's frames of a goroutine that is stepped, as they stay when its stack moves; and where
a step has come to."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator

import msgspec

from goprobe.analysis.trace.stopview import StopView
from goprobe.api.script.sourcelines import SourceLines
from goprobe.arch.frames import RETURN_ADDRESS
from goprobe.binary.pcln.format import Function
from goprobe.process.gdb.mi import StopEvent
from goprobe.runtime.stacks.frames import FrameView

_RUNTIME = "runtime."


class Went(msgspec.Struct, frozen=True):
    """Where a step came to; `cut`: something else stopped the program before the step's end."""

    event: StopEvent
    view: StopView | None
    cut: bool = False
    returned: Function | None = None
    """The function that has just returned to where it is."""


Steps = Generator[Went, None, Went]
"""A step on its way: what it yields has cut it, and it goes on from there when it is resumed."""


class Frame(msgspec.Struct, frozen=True):
    """A physical frame: its function, where it goes on, and how far below the stack's high end its
    CFA and its stack pointer lie, which stays so when the stack moves."""

    function: Function | None
    pc: int
    distance: int
    depth: int


def of_runtime(function: Function | None) -> bool:
    return function is not None and function.name.startswith(_RUNTIME)


def to_cfa(function: Function, pc: int) -> int:
    return function.table.frame_size(function, pc) + RETURN_ADDRESS


def physical(view: StopView, lines: SourceLines) -> tuple[Frame, ...]:
    """The machine's frames, innermost first."""
    return tuple(_walk(view.frames, lines, view.goroutine.high if view.goroutine else 0))


def _walk(frames: Iterable[FrameView], lines: SourceLines, high: int) -> Iterator[Frame]:
    last = None
    for frame in frames:
        if frame.cfa != last:
            function = lines.function_at(frame.lookup)
            yield Frame(function, frame.pc, high - frame.cfa, high - frame.sp)
            last = frame.cfa
