"""Stepping by source lines: into calls, over them, out of a frame, to a line."""

from __future__ import annotations

from goprobe.analysis.session import Session
from goprobe.analysis.stopview import StopView
from goprobe.errors import UsageError
from goprobe.process.mi import StopEvent
from goprobe.runtime.frames import FrameView

_STEP_LIMIT = 20_000
_Went = tuple[StopEvent, StopView | None]


class Stepper:
    """One step of one goroutine from where `view` stands. Other goroutines run meanwhile.

    A breakpoint or watch that is reached on the way ends the step.
    """

    def __init__(self, session: Session, view: StopView) -> None:
        self._session = session
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
                return self._instruction(over_calls=False)
            case "finish":
                return self._finish()
            case "until":
                return self._until(line)
        raise UsageError(f"{how!r} is no way to step")

    def _instruction(self, *, over_calls: bool) -> _Went:
        event = self._session.gdb.step_instruction(
            timeout=self._session.time_left(), over_calls=over_calls
        )
        return event, None if event.over else self._session.view(event.thread)

    def _mine(self, view: StopView) -> bool:
        return view.goroutine is not None and view.goroutine.id == self._goroutine

    def _lines(self, *, over_calls: bool) -> _Went:
        """Instruction by instruction, until another line of this frame, a callee with source of
        its own, or the caller is reached."""
        for _ in range(_STEP_LIMIT):
            event, view = self._instruction(over_calls=over_calls)
            if view is None or event.kind not in ("step",):
                return event, view
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
                if event.breakpoint != number:
                    return event, view
                if self._mine(view) and self._returned(view, deeper_than):
                    return StopEvent("step", event.thread, event.pc), view
        finally:
            if self._session.gdb.pid:
                self._session.gdb.remove_breakpoint(number)

    def _returned(self, view: StopView, deeper_than: int | None) -> bool:
        if deeper_than is None or view.goroutine is None:
            return True
        return view.goroutine.high - view.registers["rsp"] <= deeper_than
