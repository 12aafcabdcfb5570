"""The questions a script can ask of its program, whoever answers: a live session or a recording."""

from __future__ import annotations

from typing import Protocol

from goprobe.analysis.calls.calls import CallsRequest
from goprobe.analysis.heap.questions import HeapQuestions
from goprobe.model.address import Address
from goprobe.model.attached import GoroutineState
from goprobe.model.calls import CallFrame, CallRecord
from goprobe.model.heap import HeapReport
from goprobe.model.location import Location
from goprobe.model.script import Moment, Results, SessionInfo, Wishes
from goprobe.model.trace import StopReport
from goprobe.model.value import Element, Variable

# WHEREs that name an event instead of a place in the code.
PANIC = "@panic"
"""A place to stop at: a goroutine begins to panic."""

GOROUTINE = "@goroutine"
"""A place to stop at: a goroutine is made."""

STACK_MOVE = "@stack-move"
"""A place to stop at: a goroutine's stack has moved, to a larger or a smaller one."""

GOROUTINE_END = "@goroutine-end"
"""A place to stop at: a goroutine is at its end, as it returned or by runtime.Goexit."""

FORK = "@fork"
"""A place to stop at: a child process is about to be started (os/exec, os.StartProcess)."""

EXEC = "@exec"
"""A place to stop at: the program is about to replace itself by another (syscall.Exec)."""

EXIT = "@exit"
"""A place to stop at: the program is about to end by os.Exit or the end of main.main."""

FATAL = "@fatal"
"""A place to stop at: the runtime ends the program (deadlock, concurrent map writes, no memory)."""

# Where the program is when the event happens (src/runtime/panic.go, proc.go, stack.go,
# signal_unix.go, sys_linux_amd64.s, src/syscall/exec_unix.go, Go 1.21 to 1.27).
EVENTS = {
    PANIC: ("runtime.gopanic",), GOROUTINE: ("runtime.newproc1",),
    STACK_MOVE: ("runtime.copystack",),
    FATAL: ("runtime.throw", "runtime.fatal", "runtime.fatalsignal"),
    GOROUTINE_END: ("runtime.goexit1",), FORK: ("syscall.forkExec",), EXEC: ("syscall.Exec",),
    EXIT: ("runtime.exit",),
}  # fmt: skip

GO_ON = "go on"
"""The way to step that goes on with the step that was cut short."""


class Driver(Protocol):
    """All of it raises the errors of goprobe.errors; addresses are the target's, sizes bytes."""

    @property
    def info(self) -> SessionInfo: ...

    def break_at(self, where: str) -> None:
        """Stop at a WHERE from now on."""

    def clear(self, where: str) -> None:
        """Stop there no more."""

    def only(self, wishes: Wishes) -> None:
        """Which stops of those to come are wanted: others need not be told."""

    def resume(self) -> Moment:
        """Run to the next stop or the end."""

    def step(self, how: str, line: int) -> Moment:
        """`how`: "step" into calls, "next" over them, "finish" the frame, "until" a line,
        "instruction"; GO_ON with the one of these that the stop has cut short."""

    def pause(self) -> None:
        """Have a running program stop soon; from any thread."""

    def begin_calls(self, request: CallsRequest) -> str:
        """Let the program run, those of its calls told that are asked for. Why some may be
        missing, "" where none are."""

    def next_calls(self) -> tuple[CallRecord, ...]:
        """The next calls that have ended; none where that is all."""

    def end_calls(self) -> Moment:
        """Where the program stands when no more calls are to be told."""

    def halted(self) -> Moment | None:
        """Where the program was halted when a wait for it was given up; None where it was not."""

    def watch(self, address: int, size: int, element: int = 0, of: str = "") -> tuple[int, ...]:
        """Stop after a change of these bytes: numbers of watches for `unwatch`. With the size of an
        `element` they are a header, and what that leads to is watched, too. By their type `of` is
        known which words are written together."""

    def watch_limits(self, numbers: tuple[int, ...]) -> tuple[str, ...]:
        """What of these watches the processor cannot watch."""

    def unwatch(self, number: int) -> None: ...

    def stop(self) -> StopReport:
        """The stop, without its variables."""

    def variables(self, name: str) -> tuple[Variable, ...]:
        """Every variable in scope; with a name those of the nearest frame that has one."""

    def quick(self, name: str) -> tuple[str, str] | None:
        """A variable's type and text, where they can be had without a view of the whole stop."""

    def locate(self, address: int) -> tuple[Location, ...]:
        """Every identity of an address, most specific first."""

    def read(self, address: int, size: int) -> bytes: ...

    def digest(self, address: int, size: int) -> str:
        """A number that other bytes than those there have not."""

    def value(self, type_name: str, address: int) -> Element:
        """The value of a Go type at an address."""

    def headed(self, type_name: str, address: int) -> Element:
        """The map or channel whose header is at an address."""

    def items(self, type_name: str, address: int, start: int, count: int) -> tuple[Element, ...]:
        """Elements of an array at an address, or of a slice whose array is there."""

    def entry(self, type_name: str, address: int, kind: str, key: str) -> Element | None:
        """The value in the map whose header is at an address, by the text of its key; `kind` is
        "string" or "number"."""

    def entries(self, type_name: str, address: int, start: int, count: int) -> tuple[Element, ...]:
        """Keys and values of a map by turns."""

    def extent(self, type_name: str) -> tuple[int, int]:
        """A type's size, and that of one element of what it leads to as a header (0: none; -1: of
        an interface or a complex number, whose words are written together, too)."""

    def kind(self, type_name: str) -> str:
        """What a type is by its underlying type: "int16", "struct", …; "" where that is not known,
        in early recordings."""

    def global_variable(self, name: str) -> Element:
        """A variable of a package: "main.counter"."""

    def goroutines(self) -> tuple[GoroutineState, ...]: ...

    def heap(self, questions: HeapQuestions) -> HeapReport: ...

    def objects(self, type_name: str) -> tuple[Address, ...]:
        """Where the objects of a type lie that something leads to."""

    def writer(self) -> CallFrame | None:
        """Who wrote what a watch stopped for; None where that is not known."""

    def results(self) -> Results:
        """What the function gave back that "finish" has come out of."""

    def close(self) -> None:
        """End the program."""
