"""What threads have in hand: words of their registers and system stacks.

The collector need not look there, for it stops the world where Go code has nothing in hand that is
not on a goroutine's stack, too. goprobe stops it anywhere: a timer that has just fired runs on its
thread's system stack (unlockAndRun, src/runtime/time.go) with the only pointer to its channel. Only
threads with a P are about such things; what others left on their stacks is old.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import numpy as np

from goprobe.arch.registers import GENERAL
from goprobe.errors import UnreadableError
from goprobe.process.memory.copies import Words
from goprobe.process.memory.memory import read_available, u64
from goprobe.runtime.goroutines.goroutines import Goroutine, Thread
from goprobe.runtime.world import World

_WORD = 8
_MOST = 1 << 20  # bytes of one stack
_INNERMOST = 1 << 12
"""Bytes: what a function was given is kept in its caller's frame while its own is being made."""


class InHand(msgspec.Struct, frozen=True):
    """`missing` says of which thread it is not known."""

    words: Words
    missing: str = ""


def in_hand(world: World) -> InHand:
    parts: list[Words] = [np.zeros(0, np.uint64)]
    missing = ""
    for thread in world.goroutines.threads:
        if not _works(world, thread):
            continue
        registers = world.threads.get(thread.tid)
        if registers is None:
            missing = missing or f"the registers of thread {thread.tid} are not known"
            continue
        values = [registers.value(name) for name in GENERAL]
        parts.append(np.array(values, np.uint64))
        parts += _stacks(world, thread, registers.sp)
    return InHand(np.concatenate(parts), missing)


def _works(world: World, thread: Thread) -> bool:
    """Whether it has a P."""
    try:
        return bool(u64(world.memory, thread.address + world.layout.offset("m", "p")))
    except UnreadableError:
        return True


def _stacks(world: World, thread: Thread, sp: int) -> Iterator[Words]:
    """The used part of its system stack, of its signal stack where it handles a signal, and the
    innermost frames of the goroutine that it runs."""
    g0, gsignal, own = (
        world.goroutines.at(g) if g else None for g in (thread.g0, thread.gsignal, thread.current)
    )
    handled = np.zeros(0, np.uint64)
    if gsignal is not None and _has(gsignal, sp):
        # Where it was interrupted the saved registers tell.
        handled = _words(world, sp, gsignal.high)
        yield handled
    if g0 is not None:
        low = _lowest(g0, sp, handled)
        yield _words(world, low, g0.high)
    if own is not None:
        low = _lowest(own, sp, handled, own.sp)
        yield _words(world, low, min(own.high, low + _INNERMOST))


def _lowest(g: Goroutine, sp: int, handled: Words, saved: int = 0) -> int:
    """Down to where a stack may be in use; its upper end where nothing says that it is."""
    inside = handled[(handled >= np.uint64(g.low)) & (handled < np.uint64(g.high))]
    if _has(g, sp):
        return sp
    return int(min([*inside.tolist(), saved if _has(g, saved) else g.high]))


def _has(g: Goroutine, sp: int) -> bool:
    return g.low <= sp < g.high


def _words(world: World, low: int, high: int) -> Words:
    low &= -_WORD
    raw = read_available(world.memory, low, min(high - low, _MOST))
    return np.frombuffer(raw, np.uint64, len(raw) // _WORD)
