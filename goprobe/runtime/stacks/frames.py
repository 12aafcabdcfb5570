"""Frames of a stack as a reader of the source sees them, inlined calls included."""

from __future__ import annotations

import msgspec


class FrameView(msgspec.Struct, frozen=True, kw_only=True):
    """One frame, innermost first.

    `pc` is where it stands, `lookup` the pc by which tables are asked (for a caller its return
    address less one); `sp` and `cfa` are addresses, the CFA the stack pointer before the call.
    `inlined` frames share them with the frame that they were inlined into; `depth` counts inlined
    calls from the physical function (0) inwards. `innermost`: the machine's registers are its own.
    `interrupted`: it made no call, a signal stopped it; `faulted`: for what it did itself, so that
    it never goes on there.
    `wrapper`: the compiler made it, and Go's own traces leave it out. `start_line` is that of the
    function's declaration, 0 where it is not known.
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
    interrupted: bool = False
    faulted: bool = False
    wrapper: bool = False
    start_line: int = 0
