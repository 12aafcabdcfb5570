"""The questions a script can ask of its program, whoever answers: a live session or a recording."""

from __future__ import annotations

from typing import Protocol

from goprobe.model.attached import GoroutineState
from goprobe.model.heap import HeapReport
from goprobe.model.location import Location
from goprobe.model.script import Moment, SessionInfo
from goprobe.model.value import Element, Variable

# WHEREs that name an event instead of a place in the code.
PANIC = "@panic"
GOROUTINE = "@goroutine"
STACK_MOVE = "@stack-move"


class Driver(Protocol):
    """All of it raises the errors of goprobe.errors; addresses are the target's, sizes bytes."""

    @property
    def info(self) -> SessionInfo: ...

    def break_at(self, where: str) -> None:
        """Stop at a WHERE from now on."""

    def clear(self, where: str) -> None:
        """Stop there no more."""

    def resume(self) -> Moment:
        """Run to the next stop or the end."""

    def step(self, how: str, line: int) -> Moment:
        """`how`: "step" into calls, "next" over them, "finish" the frame, "until" a line,
        "instruction"."""

    def halted(self) -> Moment | None:
        """Where the program was halted when a wait for it was given up; None where it was not."""

    def watch(self, address: int, size: int) -> tuple[int, ...]:
        """Stop after a change of these bytes: numbers of watches for `unwatch`."""

    def unwatch(self, number: int) -> None: ...

    def variables(self, name: str) -> tuple[Variable, ...]:
        """Every variable in scope; with a name those of the nearest frame that has one."""

    def locate(self, address: int) -> tuple[Location, ...]:
        """Every identity of an address, most specific first."""

    def read(self, address: int, size: int) -> bytes: ...

    def value(self, type_name: str, address: int) -> Element:
        """The value of a Go type at an address."""

    def goroutines(self) -> tuple[GoroutineState, ...]: ...

    def heap(self) -> HeapReport: ...

    def close(self) -> None:
        """End the program."""
