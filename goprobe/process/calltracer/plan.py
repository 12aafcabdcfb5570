"""What a tracer of calls is told before it begins: addresses of the process, and what to read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from enum import StrEnum
from typing import Protocol

import msgspec

from goprobe.arch.callstub import Covered
from goprobe.arch.registers import Words
from goprobe.model.calls import CallFrame, CallValue

Told = tuple[CallValue, ...] | str
"""Values, or why there are none."""


class End(StrEnum):
    """How a call ended."""

    RETURN = "return"
    PANIC = "panic"
    """A panic left it, whether somebody further out recovered it or not."""
    GOEXIT = "goexit"
    TAIL = "tail"
    """It handed its frame on to another function, which returns in its place."""
    OPEN = "open"
    """It had not ended when the watch, or the program, did."""
    UNSEEN = "unseen"
    """It is over, but by no way that is watched."""


class After(StrEnum):
    """What becomes of the process when the watch is over."""

    GO = "go"
    """It runs on, as it did before."""
    STAND = "stand"
    """It stands in SIGSTOP, as it did before."""
    KILL = "kill"


def replaced(after: After) -> str:
    """What is said of a program that has become another one."""
    ended = ", which was ended with the watch" if after is After.KILL else ""
    return f"it replaced itself by another program (exec){ended}"


class WatchedFunction(msgspec.Struct, frozen=True):
    """A function whose calls are told: its entry, its return instructions, and its jumps to other
    functions with their targets; those that are `computed`, with the number of the register that
    says where. `own_g`: g has to be looked for in the thread's own storage.
    `stubs`: what can be noted of it without a stop, each while these words of the registers are
    all 0."""

    entry: int
    returns: tuple[int, ...] = ()
    jumps: tuple[tuple[int, int], ...] = ()
    computed: tuple[tuple[int, int], ...] = ()
    own_g: bool = False
    stubs: tuple[tuple[Covered, tuple[int, ...]], ...] = ()


class Landmarks(msgspec.Struct, frozen=True):
    """Entries of functions of the runtime, and the offset of g's number in it."""

    gopanic: int
    goexit: int
    goexit1: int
    recovery: int
    goid: int


class Room(msgspec.Struct, frozen=True):
    """Padding behind a function: memory that is code to the processor and never run."""

    address: int
    size: int


class WatchPlan(msgspec.Struct, frozen=True):
    """`functions` by number. `counts`: calls are counted, and nothing is told of each. `copies`
    are the landmarks in the copies of the runtime's code that plugins run."""

    functions: tuple[WatchedFunction, ...]
    landmarks: Landmarks
    rooms: tuple[Room, ...] = ()
    counts: bool = False
    copies: tuple[Landmarks, ...] = ()

    def addresses(self) -> Iterator[int]:
        """Where breakpoints may be put."""
        for function in self.functions:
            yield function.entry
            yield from function.returns
            yield from (address for address, _ in (*function.jumps, *function.computed))
        for marks in (self.landmarks, *self.copies):
            yield from filter(None, (marks.gopanic, marks.goexit, marks.goexit1, marks.recovery))


class Hit(Protocol):
    """A thread that stands at a function's first instruction, or at one that returns."""

    @property
    def words(self) -> Sequence[int]: ...
    @property
    def high(self) -> int:
        """The end of the stack that it is on."""

    def read(self, address: int, size: int) -> bytes:
        """Memory of the process; shorter where it ends."""

    def vector(self, name: str) -> bytes:
        """16 bytes of a vector register."""


class Values(Protocol):
    """What is to be told of a call besides that it was made; None: nothing is wanted."""

    def arguments(self, number: int, hit: Hit) -> Told | None: ...
    def results(self, number: int, hit: Hit) -> Told | None: ...
    def stack(self, hit: Hit) -> tuple[CallFrame, ...] | None: ...
    def in_registers(self, number: int, words: Words, *, entry: bool) -> bool:
        """Whether all of that, at this entry or return, can be told by these registers alone."""

    def panic(self, hit: Hit) -> str:
        """The value of a panic that begins, in words."""

    def leaving(self, hit: Hit) -> int:
        """Where a panic or a Goexit begins: the stack pointer of the frame that an earlier one was
        leaving when a function that the frame had deferred raised this one; 0: there is no earlier
        one, or it is not known."""

    def recovered(self, g: int, hit: Hit) -> int:
        """Where a panic is recovered: the stack pointer of the frame that goes on; 0: not known."""


class Begun(msgspec.Struct, frozen=True, tag="b", array_like=True):
    """A call of a function (by its number) began; `depth` calls that are told are around it."""

    call: int
    function: int
    goroutine: int
    depth: int
    time_ns: int
    arguments: Told | None = None
    stack: tuple[CallFrame, ...] | None = None


class Ended(msgspec.Struct, frozen=True, tag="e", array_like=True):
    """`ns`: how long it ran, without the time for which we held it; `why` says more of its end."""

    call: int
    end: End
    ns: int
    results: Told | None = None
    why: str = ""


class Counted(msgspec.Struct, frozen=True, tag="c", array_like=True):
    """How many calls of each function there were."""

    counts: tuple[int, ...]


class Lost(msgspec.Struct, frozen=True, tag="l", array_like=True):
    """So many calls were not told of, for nobody took them in time."""

    calls: int


class Over(msgspec.Struct, frozen=True, tag="o", array_like=True):
    """The watch is over: why, and how the program ended (-1: it runs on). `stops` of threads at
    breakpoints took `stopped_ns` in all, and the tracer waited `late_ns` for a processor."""

    why: str
    exit_code: int = -1
    signal: int = 0
    stops: int = 0
    stopped_ns: int = 0
    late_ns: int = 0


class Failed(msgspec.Struct, frozen=True, tag="f", array_like=True):
    """It could not be done."""

    kind: str
    message: str
    hint: str = ""


class Ready(msgspec.Struct, frozen=True, tag="r", array_like=True):
    """The breakpoints are in; `not_watched` are functions whose entry could not get one."""

    not_watched: tuple[int, ...] = ()


Record = Begun | Ended | Counted | Lost | Over | Failed | Ready
Tell = Callable[[Record], None]
