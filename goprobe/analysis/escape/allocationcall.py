"""A call of the allocator, as plain data."""

from __future__ import annotations

import msgspec

from goprobe.arch.machinefacts import Constant, StackAddress
from goprobe.binary.pcln.format import GENERATED, SourceFrame
from goprobe.runtime.allocatorcalls import Allocator
from goprobe.runtime.allocators import BY_ADDRESS, allocator_of, bookkeeping
from goprobe.runtime.image.program import GoProgram

CALL_SIZE = 5


class AllocationCall(msgspec.Struct, frozen=True):
    """A CALL into the allocator. `pc` and `target` are link-time addresses of the instruction and
    of what it calls, `entry` that of its function; `callee` is that function of the runtime, of a
    `release`; `frames` are innermost first.

    `type` is the type descriptor that it is given, 0 where none or where it comes from elsewhere (a
    generic function's dictionary); `buffer` what it is given as buffer in the frame, None where
    that is not known, or there is no such parameter. `several`: it makes one object of several
    variables, which has no type of its own. Where it does not `ask` for memory, what it allocates
    is the runtime's own affair. `moved`: it makes a variable of the innermost frame, and stands in
    the code of the next one (see movedformals.py).
    """

    pc: int
    target: int
    entry: int
    callee: str
    release: tuple[int, int]
    frames: tuple[SourceFrame, ...]
    type: int = 0
    buffer: Constant | StackAddress | None = None
    several: bool = False
    asks: bool = True
    moved: bool = False

    @property
    def allocator(self) -> Allocator:
        return allocator_of(self.callee, self.release) if self.asks else bookkeeping(self.callee)

    @property
    def inner(self) -> SourceFrame:
        """Where the source of the call stands."""
        return self.frames[0]

    @property
    def outer(self) -> SourceFrame:
        """The place in the function whose machine code holds it."""
        return self.frames[-1]

    @property
    def standing(self) -> tuple[SourceFrame, ...]:
        """The frames that Go's tables have of it, as its tracebacks and profiles do: without whose
        the variable is that it makes, but in a wrapper, which has no line."""
        return self.frames[1:] if self.moved and self.outer.file != GENERATED else self.frames

    def shown(self, frame: SourceFrame) -> str:
        """As told of the line of one of its frames."""
        return f"{self.allocator.symbol} (line {frame.line})"

    @property
    def back(self) -> int:
        """Where its function goes on."""
        return self.pc + CALL_SIZE


def seen_call(program: GoProgram, pc: int, target: int) -> AllocationCall:
    """A call of any function of the runtime, which was seen to allocate; of one that is called
    by an address, `target` is 0."""
    lines = program.lines
    function, callee = lines.function_at(pc), lines.function_at(target)
    return AllocationCall(
        pc,
        target,
        function.entry if function else 0,
        callee.name if callee else BY_ADDRESS,
        (program.go.major, program.go.minor),
        tuple(lines.inline_stack(function, pc)) if function else (),
        asks=False,
    )
