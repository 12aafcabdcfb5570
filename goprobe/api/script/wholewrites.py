"""Statements that write a header (a string's, a slice's, an interface's) word by word: the thread
that has written a part of one goes on, alone, until it has written the rest or the line is done.

Between two of these words there may be the write barrier, which notes both pointers for the
collector (gcWriteBarrier, src/runtime/asm_*.s, Go 1.21 to 1.27). Where its buffer is full it calls
on, and may wait for other threads: there the thread is left.
"""

from __future__ import annotations

from collections.abc import Callable

from goprobe.analysis.trace.session import Session
from goprobe.analysis.trace.stopview import StopView
from goprobe.api.script.sourcelines import Chain, SourceLines
from goprobe.arch.registers import PC
from goprobe.binary.pcln.format import Function
from goprobe.process.gdb.mi import StopEvent

_BARRIER = ("runtime.gcWriteBarrier", "gcWriteBarrier")
_MOST = 64  # instructions
_AHEAD = 32  # bytes of code
_STOPS = 4  # one for each word of a header that is watched


def whole_write(
    session: Session, lines: SourceLines, view: StopView, is_whole: Callable[[], bool]
) -> StopEvent | None:
    """Let the thread of `view`, which has just written, write the rest. What else than that has
    stopped it, None for nothing."""
    pc = view.registers[PC]
    function = lines.function_at(pc - 1)
    if function is None:
        return None
    chain = lines.chain(pc - 1)

    def more() -> bool:
        at = session.registers(view.tid, frozenset((PC,)))[PC]
        looped = function.entry <= at < pc  # it may come to write the same words again
        return not looped and not is_whole() and _belongs(lines, function, chain, at)

    for _ in range(_STOPS):
        if not more():
            return None
        event = session.step_alone(_MOST, more)
        if event is None or event.kind != "watchpoint":
            return event
    return None


def _belongs(lines: SourceLines, function: Function, chain: Chain, pc: int) -> bool:
    """Whether the instruction there still is of the statement that writes."""
    here = lines.function_at(pc)
    if here is None:
        return False
    transfer = next((t for t in lines.transfers(here) if t.at == pc), None)
    if here.name.startswith(_BARRIER):
        return transfer is None or not transfer.call
    if transfer is not None and transfer.call:
        target = lines.function_at(transfer.target)
        if target is None or not target.name.startswith(_BARRIER):
            return False
    if here.entry != function.entry:
        return False
    return function.file.endswith(".s") or _comes_back(lines, function, chain, pc)


def _comes_back(lines: SourceLines, function: Function, chain: Chain, pc: int) -> bool:
    """Whether code of the statement is right ahead: the compiler puts instructions of the next one
    between."""
    calls = (t.at for t in lines.transfers(function) if t.call and t.at >= pc)
    end = min(pc + _AHEAD, function.end, next(calls, function.end))
    return any(lines.chain(at) == chain for at in range(pc, end))
