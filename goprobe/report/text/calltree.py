"""Calls as they are made, a line each: those inside of another stand within its braces."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from msgspec import UNSET, UnsetType

from goprobe.model.calls import CallFrame, CallRecord, CallValue
from goprobe.report.escaping import escape
from goprobe.report.options import RenderOptions

_RESET = "\x1b[0m"
_STYLES = {"name": "\x1b[1m", "dim": "\x1b[2m", "value": "\x1b[36m", "bad": "\x1b[31m"}
_GOROUTINE = 6  # cells
_ENDS = {"goexit": "runtime.Goexit", "open": "has not ended", "unseen": "its end was not seen"}


class Begun(Protocol):
    """What is asked of a call that is on its way."""

    @property
    def call(self) -> int: ...
    @property
    def function(self) -> str: ...
    @property
    def goroutine(self) -> int: ...
    @property
    def depth(self) -> int: ...
    @property
    def arguments(self) -> tuple[CallValue, ...] | UnsetType: ...
    @property
    def no_arguments(self) -> str: ...
    @property
    def stack(self) -> tuple[CallFrame, ...] | UnsetType: ...


class CallTree:
    """Makes lines of what happens, in its order. A call is written when something else happens on
    its goroutine before its end, or when it ends."""

    def __init__(self, options: RenderOptions) -> None:
        self._options = options
        self._waiting: dict[int, Begun] = {}  # by goroutine: not written yet

    def began(self, begun: Begun) -> Iterator[str]:
        yield from self._opened(begun.goroutine)
        self._waiting[begun.goroutine] = begun

    def ended(self, record: CallRecord) -> Iterator[str]:
        waiting = self._waiting.get(record.goroutine)
        if waiting is not None and waiting.call == record.call:
            del self._waiting[record.goroutine]
            yield self._line(record, f"{self._head(waiting)}{self._tail(record)}")
            yield from self._stack(waiting)
            return
        yield from self._opened(record.goroutine)
        name = self._styled("name", record.function)
        yield self._line(record, f"}} {name}{self._tail(record)}")

    def pending(self) -> Iterator[str]:
        """Calls that have been waiting to be written for long."""
        for goroutine in tuple(self._waiting):
            yield from self._opened(goroutine)

    def _opened(self, goroutine: int) -> Iterator[str]:
        waiting = self._waiting.pop(goroutine, None)
        if waiting is not None:
            yield self._line(waiting, f"{self._head(waiting)} {{")
            yield from self._stack(waiting)

    def _line(self, call: Begun | CallRecord, text: str) -> str:
        who = f"g{call.goroutine}" if call.goroutine else "g0"
        return f"{self._styled('dim', who.ljust(_GOROUTINE))} {'  ' * min(call.depth, 40)}{text}\n"

    def _head(self, begun: Begun) -> str:
        name = self._styled("name", begun.function)
        if begun.arguments is not UNSET:
            return f"{name}({', '.join(self._value(v) for v in begun.arguments)})"
        if begun.no_arguments:
            return f"{name}({self._styled('dim', begun.no_arguments)})"
        return name

    def _tail(self, record: CallRecord) -> str:
        told = ""
        if record.end == "panic":
            told = f" {self._styled('bad', record.why or 'panic')}"
        elif record.end == "tail":
            told = f" {self._arrow} {self._safe(record.to)}"
        elif record.end != "return":
            told = f" {self._styled('bad', _ENDS.get(record.end, record.end))}"
        elif record.results is not UNSET and record.results:
            told = f" = {', '.join(self._value(v) for v in record.results)}"
        elif record.no_results:
            told = f" = {self._styled('dim', record.no_results)}"
        return f"{told}  {self._styled('dim', self._time(record.duration_us))}"

    def _value(self, value: CallValue) -> str:
        text = value.text if value.meaning is UNSET else value.meaning
        text = f"<{value.why}>" if value.why and not text else text
        styled = self._styled("bad" if value.why else "value", text)
        return f"{self._safe(value.name)}={styled}" if value.name else styled

    def _stack(self, begun: Begun) -> Iterator[str]:
        for frame in begun.stack if begun.stack is not UNSET else ():
            where = f"{frame.function}  {frame.file}:{frame.line}"
            indent = " " * (_GOROUTINE + 1) + "  " * min(begun.depth, 40)
            yield f"{indent}    {self._styled('dim', where)}\n"

    @property
    def _arrow(self) -> str:
        return "→" if self._options.unicode else "->"

    def _time(self, us: float) -> str:
        micro = "µs" if self._options.unicode else "us"
        if us < 1000:
            return f"{us:.1f} {micro}"
        return f"{us / 1e3:.2f} ms" if us < 1e6 else f"{us / 1e6:.2f} s"

    def _styled(self, style: str, text: str) -> str:
        safe = self._safe(text)
        return f"{_STYLES[style]}{safe}{_RESET}" if self._options.colour else safe

    def _safe(self, text: str) -> str:
        return escape(text, ascii_only=not self._options.unicode)
