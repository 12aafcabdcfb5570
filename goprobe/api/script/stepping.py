"""Stepping by source lines: into calls, over them, out of a frame, to a line."""

from __future__ import annotations

from collections.abc import Callable

from goprobe.analysis.trace.session import Session
from goprobe.analysis.trace.stopview import StopView
from goprobe.arch.registers import PC, SP
from goprobe.errors import UnreadableError, UsageError
from goprobe.process.gdb.mi import StopEvent
from goprobe.runtime.stacks.frames import FrameView

_STEP_LIMIT = 20_000
_Went = tuple[StopEvent, StopView | None]


class Stepper:
    """One step of one goroutine from where `view` stands. Other goroutines run meanwhile.

    A breakpoint or watch that is reached on the way ends the step. `judge` says how an event is
    to be taken: one that is none for the script comes back as a step.
    """

    def __init__(
        self, session: Session, view: StopView, judge: Callable[[StopEvent, StopView], StopEvent]
    ) -> None:
        self._session = session
        self._judge = judge
        self._view = view
        if view.goroutine is None or not view.frames:
            raise UsageError("only a goroutine in Go code can be stepped")
        self._goroutine = view.goroutine.id
        self._frame = view.frames[0]
        self._depth = view.goroutine.high - self._frame.cfa

    def go(self, how: str, line: int) -> _Went:
        match how:
            case "step":
                return self._lines(over_calls=False)
            case "next":
                return self._lines(over_calls=True)
            case "instruction":
                return self._instruction()
            case "finish":
                return self._finish()
            case "until":
                return self._until(line)
        raise UsageError(f"{how!r} is no way to step")

    def _instruction(self) -> _Went:
        event = self._session.gdb.step_instruction(timeout=self._session.time_left())
        if event.over:
            return event, None
        view = self._session.view(event.thread)
        return self._judge(event, view), view

    def _over_call(self, view: StopView) -> _Went:
        """One instruction of this goroutine; a call counts as one."""
        after = _end_of_call(view)
        if not after or view.goroutine is None:
            return self._instruction()
        return self._to(after, deeper_than=view.goroutine.high - view.registers[SP])

    def _mine(self, view: StopView) -> bool:
        return view.goroutine is not None and view.goroutine.id == self._goroutine

    def _lines(self, *, over_calls: bool) -> _Went:
        """Instruction by instruction, until another line of this frame, a callee with source of
        its own, or the caller is reached."""
        now = self._view
        for _ in range(_STEP_LIMIT):
            event, view = self._over_call(now) if over_calls else self._instruction()
            if view is None or event.kind != "step":
                return event, view
            now = view
            if not self._mine(view):
                continue
            if not view.frames or self._is_between(view):
                continue
            return event, view
        raise UsageError(f"no other line was reached within {_STEP_LIMIT} instructions")

    def _is_between(self, view: StopView) -> bool:
        """Whether this is still the line the step began on, or a place that shows no line."""
        frame = view.frames[0]
        assert view.goroutine is not None
        depth = view.goroutine.high - frame.cfa
        if depth > self._depth:  # a deeper frame: a callee
            return frame.function.startswith("runtime.") or self._in_prologue(frame)
        if depth < self._depth:
            return False
        return (frame.function, frame.line) == (self._frame.function, self._frame.line)

    def _in_prologue(self, frame: FrameView) -> bool:
        program, bias = self._session.program, self._session.bias
        function = program.debug.function_at(frame.pc - bias)
        if function is None:
            return True
        unit = program.debug.unit_at(function.offset)
        return frame.pc - bias < program.rows.after_prologue(function.low, function.high, unit)

    def _finish(self) -> _Went:
        """Run until the frame has returned to its caller."""
        caller = next((f for f in self._view.frames if f.cfa != self._frame.cfa), None)
        if caller is None:
            raise UsageError("this frame has no caller to return to")
        return self._to(caller.pc, deeper_than=self._depth)

    def _until(self, line: int) -> _Went:
        if line <= 0:
            raise UsageError(f"{line} is no line")
        file = self._frame.file
        places = self._session.resolve((f"{file}:{line}",))
        return self._to(places[0].address + self._session.bias, deeper_than=None)

    def _to(self, address: int, *, deeper_than: int | None) -> _Went:
        """Run to an address; hits of other goroutines and of deeper calls do not count."""
        number = self._session.gdb.insert_breakpoint(address)
        try:
            while True:
                event = self._session.gdb.resume(timeout=self._session.time_left())
                if event.over:
                    return event, None
                view = self._session.view(event.thread)
                told = self._judge(event, view)
                reached = told.kind == "breakpoint" and told.breakpoint == number
                if told.kind != "step" and not reached:
                    return told, view
                arrived = view.registers[PC] == address and self._mine(view)
                if arrived and self._returned(view, deeper_than):
                    return StopEvent("step", event.thread, event.pc), view
        finally:
            if self._session.gdb.pid:
                self._session.gdb.remove_breakpoint(number)

    def _returned(self, view: StopView, deeper_than: int | None) -> bool:
        if deeper_than is None or view.goroutine is None:
            return True
        return view.goroutine.high - view.registers[SP] <= deeper_than


def _end_of_call(view: StopView) -> int:
    """The address after the instruction that the view stands at if that is a call, else 0."""
    from goprobe.arch.instructions import after_call  # only stepping needs it

    pc = view.registers[PC]
    code = view.world.memory.read(pc, 1)
    for size in (15, 8, 2):  # the mapping may end behind it
        try:
            code = view.world.memory.read(pc, size)
            break
        except UnreadableError:
            continue
    return after_call(code, pc)
