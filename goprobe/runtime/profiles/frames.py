"""The functions of the source that a sampled stack stands for, as runtime.CallersFrames has them.

Source: src/runtime/symtab.go (Frames.Next), traceback.go (elideWrapperCalling), pprof/protomem.go
(writeHeapProto), Go 1.21 to 1.27. Stacks of memory have a return address for each function, those
inlined included; stacks that were walked by frame pointers (of blocking, since Go 1.23) have one
for each frame. Both are read alike: what is inlined and not listed is put in.
"""

from __future__ import annotations

from collections.abc import Sequence

from goprobe.binary.pcln.format import SourceFrame
from goprobe.runtime.world import World

_SHOW_WRAPPERS = frozenset({"runtime.gopanic", "runtime.sigpanic", "runtime.panicwrap"})
_RUNTIMES = ("runtime.", "internal/runtime/")
_END = "runtime.goexit"
_LOGICAL = (1 << 64) - 1
"""Stands before a stack of the runtime's own locks, which lists what is inlined (runtime,
logicalStackSentinel: mprof.go and tracestack.go, Go 1.23 to 1.27); CallersFrames skips it."""


def frames_of(world: World, stack: Sequence[int]) -> tuple[SourceFrame, ...]:
    """Innermost first. The last address stands for all that is inlined there, too: what called
    it was beyond the depth that the runtime notes."""
    frames: list[SourceFrame] = []
    stack = stack[1:] if stack and stack[0] == _LOGICAL else stack
    for i, pc in enumerate(stack):
        caller = stack[i + 1] if i + 1 < len(stack) else 0
        innermost, *outer = world.code.source(pc - 1) or (_unknown(pc),)
        frames.append(innermost)
        for frame in outer:
            if frame.pc + 1 == caller:
                break
            if not frame.wrapper or frames[-1].function in _SHOW_WRAPPERS:
                frames.append(frame)
    return tuple(frames)


def of_runtime(world: World, stack: Sequence[int]) -> int:
    """How many of a stack's first addresses pprof leaves out as the allocator's own; none where
    all are the runtime's. It looks at the instruction after each call."""
    for number, pc in enumerate(stack):
        frames = world.code.source(pc)
        if not frames or not frames[0].function.startswith(_RUNTIMES):
            return number
    return 0


def ends(frame: SourceFrame) -> bool:
    """Whether a frame only stands for the beginning of a goroutine."""
    return frame.function == _END


def _unknown(pc: int) -> SourceFrame:
    return SourceFrame(f"unknown code at {pc:#x}", "", 0, False, 0)
