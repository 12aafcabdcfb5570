"""What the code of source lines says, and where it begins, as plain data."""

from __future__ import annotations

from enum import StrEnum

import msgspec

Copy = tuple[int, int]
Starts = tuple[int, ...]
MOST_STARTS = 16
"""Of one copy: which of its stretches of code runs first depends on the way into it."""


class StaticKind(StrEnum):
    """What a link-time address is good for as an object's memory."""

    ZEROBASE = "zerobase"  # everything of size zero
    SMALL_VALUES = "small values"  # runtime.staticuint64s
    ZERO_VALUE = "zero value"  # runtime.zeroVal
    CONSTANT = "constant"  # read-only data that the compiler made
    FUNCTION = "function"  # a closure that captures nothing
    TEXT = "text"  # the bytes of a string
    GLOBAL = "global"
    OTHER = "other"  # types, itabs, dictionaries, code


class Static(msgspec.Struct, frozen=True):
    """An address of static data that code takes. `name` is how the reason shall call it."""

    kind: StaticKind
    address: int
    name: str


class StackWitness(msgspec.Struct, frozen=True):
    """An instruction that uses memory of its own frame: when it is about to run, that lies at
    the stack pointer plus `offset`. `taken`: its address is taken right there. `entry` is that of
    the machine function. `saved`: that memory may be a register's, put by. `moved`: the optimiser
    may have put the instruction where the line is not reached, or as often. `inlined` is the
    function whose call the line inlines there, "" for its own code."""

    pc: int
    offset: int
    taken: bool
    entry: int = 0
    saved: bool = False
    moved: bool = False
    inlined: str = ""

    @property
    def part(self) -> tuple[int, int]:
        """The part of a frame that it uses."""
        return self.entry, self.offset


class LineFacts(msgspec.Struct):
    """Of one source line in one machine function. `inlined` are the functions whose bodies it
    holds. `wrapper`: the compiler made it, of a deferred call say, and it is no function's of the
    source."""

    function: str
    entry: int
    wrapper: bool = False
    statics: list[Static] = msgspec.field(default_factory=list)
    stack: list[StackWitness] = msgspec.field(default_factory=list)
    inlined: set[str] = msgspec.field(default_factory=set)


class FunctionLines(msgspec.Struct):
    """A function's code, of its own and where it was inlined: its lines, and where each copy of it
    may begin, by machine function and way of inlining."""

    file: str
    first: int
    last: int
    starts: dict[Copy, Starts] = msgspec.field(default_factory=dict)


class CodeStartTable(msgspec.Struct, frozen=True):
    """Where the code of lines and of functions begins: `by_line` by (file, line) in each copy, and
    `functions` by name. Of all these starts `acting` are those with code that acts, and `begins`
    those where the debug information says that a statement does; `marked`: it says so anywhere.
    `rooms`: how many bytes from a start (or from where an allocator's call returns) on can be run
    elsewhere as one, where more than one instruction has to be."""

    by_line: dict[tuple[str, int], dict[Copy, Starts]]
    functions: dict[str, FunctionLines]
    acting: frozenset[int]
    begins: frozenset[int]
    marked: bool
    rooms: dict[int, int]

    def shows(self, starts: Starts) -> bool:
        """Whether a copy of a line with these `starts` runs there whenever the line does."""
        return not self.marked or any(pc in self.begins or pc in self.acting for pc in starts)

    def proves(self, start: int) -> bool:
        """Whether what runs at a start is a part of what the line does, and no value that is made
        or brought to its place before that is known to be wanted."""
        return start in self.acting
