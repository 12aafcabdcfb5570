"""Frames of a stack as a reader of the source sees them, inlined calls included."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from goprobe.binary.pclnformat import shown_name
from goprobe.binary.pclntab import LineTable
from goprobe.errors import UnreadableError
from goprobe.process.memory import Memory, u64

_FRAME_LIMIT = 4096


class FrameView(msgspec.Struct, frozen=True):
    """One frame, innermost first.

    `pc` is where it stands, `lookup` the pc by which tables are asked (for a caller its return
    address less one); `sp` and `cfa` are addresses, the CFA the stack pointer before the call.
    `inlined` frames share them with the frame that they were inlined into; `depth` counts inlined
    calls from the physical function (0) inwards. `innermost`: the machine's registers are its own.
    `wrapper`: the compiler made it, and Go's own traces leave it out.
    """

    pc: int
    lookup: int
    sp: int
    cfa: int
    function: str
    file: str
    line: int
    inlined: bool
    depth: int
    innermost: bool
    wrapper: bool = False


def walk_frames(
    memory: Memory, table: LineTable, pc: int, sp: int, *, high: int, limit: int = _FRAME_LIMIT
) -> Iterator[FrameView]:
    """The frames from (pc, sp) up to the top of the stack, which ends at `high`.

    Ends quietly where the code is none of Go's or memory cannot be read.
    """
    innermost = True
    for _ in range(limit):
        lookup = pc if innermost else pc - 1
        function = table.function_at(lookup)
        if function is None:
            return
        size = table.frame_size(function, lookup)
        cfa = sp + max(size, 0) + 8
        stack = table.inline_stack(function, lookup)
        for i, source in enumerate(stack):
            yield FrameView(
                pc, lookup, sp, cfa, shown_name(source.function), source.file, source.line,
                source.inlined, len(stack) - 1 - i, innermost, source.wrapper,
            )  # fmt: skip
        if size < 0 or function.top_frame or not sp < cfa <= high:
            return
        try:
            pc = u64(memory, cfa - 8)
        except UnreadableError:
            return
        if not pc:
            return
        sp, innermost = cfa, False
