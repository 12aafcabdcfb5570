"""What a tracer of stops is told, and what it tells: the messages between it and us."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from goprobe.process.calltracer.codepoints import Point
from goprobe.process.calltracer.plan import Failed, Hit

Test = Callable[[Hit], bool]
"""Whether a thread that has come to a breakpoint is to stop there."""


class StopPoint(Point, kw_only=True):
    """Where the program is to stop: the breakpoint is at `address`, and who comes to it stops at
    `pc`. Behind the stack check of a function it is hit once a call, and the stop is one at its
    entry all the same. `number` is the asker's own. Without a `test` it always stops."""

    pc: int
    number: int
    test: Test | None = None


Pass = tuple[int, int, int]
"""The pass of a breakpoint by a call: the pc, the goroutine's g, and its stack pointer there."""


class Told(msgspec.Struct, frozen=True):
    """A stop that was told already, of which a thread is to go on: where it stood, and its g.
    `at_entries`: so were those of all threads that are past a place's pc, as GDB tells them.
    `passes` are others, of threads that come to the place once more."""

    tid: int = 0
    pc: int = 0
    sp: int = 0
    goroutine: int = 0
    at_entries: bool = False
    passes: tuple[Pass, ...] = ()


# What we ask


class Go(msgspec.Struct, frozen=True, tag="g", array_like=True):
    """Run to the next stop. `owed`: a SIGTRAP of ours is on its way that none is to come of."""

    owed: bool = False


class Registers(msgspec.Struct, frozen=True, tag="r", array_like=True):
    """Of a thread that stands."""

    tid: int


class Vector(msgspec.Struct, frozen=True, tag="v", array_like=True):
    """One vector register of a thread that stands."""

    tid: int
    name: str


class Leave(msgspec.Struct, frozen=True, tag="l", array_like=True):
    """Let go of the program, which is to stand in SIGSTOP, without breakpoints in it."""


Asked = Go | Registers | Vector | Leave


# What it says


class Stands(msgspec.Struct, frozen=True, tag="s", array_like=True):
    """The program stands: by the breakpoint `number`, or (0) a signal. `raw` are the registers of
    the thread that came to it."""

    tid: int
    pc: int
    number: int
    raw: bytes


class Gone(msgspec.Struct, frozen=True, tag="e", array_like=True):
    """The program has ended, or (`replaced`) is another one now."""

    replaced: bool = False


class Left(msgspec.Struct, frozen=True, tag="a", array_like=True):
    """It has let go: the passes that were told, of threads that come there once more."""

    passes: tuple[Pass, ...] = ()


class Raw(msgspec.Struct, frozen=True, tag="b", array_like=True):
    """Bytes that were asked for: none where there are none, or to say that something is done."""

    data: bytes = b""


Said = Stands | Gone | Raw | Left | Failed
