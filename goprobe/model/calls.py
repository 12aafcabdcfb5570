"""The reports of `goprobe calls`: a line of JSON for each call, and goprobe.calls/1 at the end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar

import msgspec
from msgspec import UNSET, UnsetType

from goprobe.counts import counted
from goprobe.model.address import Address
from goprobe.model.report import Report
from goprobe.model.table import TableReport, column

SCHEMA = "goprobe.calls/1"

_MUCH = 0.1  # of all times that are told

Plain = bool | int | float | str | None


class CallValue(msgspec.Struct, frozen=True, omit_defaults=True):
    """An argument or a result. `text` is as Go prints it, escaped and cut; `value` the number,
    truth value, whole string or nil itself; `len` a length in Go, of what a pointer leads to, too;
    `address` what it points at; `dynamic_type` what an interface holds; `key` an entry's in a map,
    where `name` does not say it whole. `why` says why there is no value. `meaning`: what it, or its
    parts, stand for (a time, a duration, a named constant, the text in bytes)."""

    name: str
    type: str
    text: str = ""
    value: Plain | UnsetType = UNSET
    len: int | UnsetType = UNSET
    dynamic_type: str | UnsetType = UNSET
    address: Address | UnsetType = UNSET
    elements: tuple[CallValue, ...] | UnsetType = UNSET
    why: str = ""
    key: CallValue | UnsetType = UNSET
    meaning: str | UnsetType = UNSET


class CallFrame(msgspec.Struct, frozen=True):
    """Who made a call: innermost first, inlined functions too."""

    function: str
    file: str
    line: int


class CallRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One call. `end` is return, panic, goexit, tail (it handed its frame on to `to`), open (it had
    not ended when the watch did) or unseen; `why` says more of that. `began_us` counts from the
    watch's begin, `duration_us` is without the time for which goprobe held the goroutine. `depth`
    calls that are told are around it."""

    call: int
    function: str
    goroutine: int
    depth: int
    began_us: float
    duration_us: float
    end: str
    why: str = ""
    to: str = ""
    arguments: tuple[CallValue, ...] | UnsetType = UNSET
    no_arguments: str = ""
    results: tuple[CallValue, ...] | UnsetType = UNSET
    no_results: str = ""
    stack: tuple[CallFrame, ...] | UnsetType = UNSET


class CalledFunction(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A function that was watched. `panics`, `total_us` and `longest_us` are of calls that ended,
    and left out where they were only counted; `note` says what of it was not watched."""

    function: Annotated[str, column("function")]
    calls: Annotated[int, column("calls", unit="count")]
    panics: Annotated[int | UnsetType, column("panics", unit="count")] = UNSET
    total_us: Annotated[float | UnsetType, column("µs in all")] = UNSET
    longest_us: Annotated[float | UnsetType, column("longest µs")] = UNSET
    note: Annotated[str, column("note", unit="note")] = ""


class CallsReport(TableReport, Report, frozen=True, kw_only=True):
    """`seconds` is how long was watched; `lost` how many calls were not told of, for nobody took
    them in time; `why` how the watch ended, `exit_code` and `signal` how the program did. Of times
    are left out the `stops` of threads, `stopped_us` in all, but not how long others that stopped
    meanwhile were not seen, nor the `late_us` for which goprobe waited for a processor."""

    row: ClassVar[type[msgspec.Struct]] = CalledFunction
    functions: tuple[CalledFunction, ...] = ()
    inlined: tuple[str, ...] = ()
    seconds: float = 0.0
    lost: int = 0
    why: str = ""
    exit_code: int | UnsetType = UNSET
    signal: str = ""
    stops: int = 0
    stopped_us: float = 0.0
    late_us: float = 0.0
    schema: str = SCHEMA

    @property
    def rows(self) -> Sequence[CalledFunction]:
        return self.functions

    @property
    def summary(self) -> str:
        calls = counted(sum(f.calls for f in self.functions), "call")
        functions = counted(len(self.functions), "function")
        why = f": {self.why}" if self.why else ""
        return f"{calls} of {functions} in {self.seconds:.1f} s{why}"

    @property
    def notes(self) -> tuple[str, ...]:
        told = [f"{f.function}: {f.note}" for f in self.functions if f.note]
        told += [
            f"{each} is inlined wherever it is called: it has no calls" for each in self.inlined
        ]
        if self._vague:
            told.append(self._vague)
        if self.lost:
            told.append(
                f"{counted(self.lost, 'call')} more were not told of: nobody took them in time"
            )
        return tuple(told)

    @property
    def _vague(self) -> str:
        """What is said of times that may be more goprobe's than the program's."""
        whole = sum(f.total_us for f in self.functions if f.total_us is not UNSET)
        if not self.stops or not whole or self.stopped_us + self.late_us < _MUCH * whole:
            return ""
        each = self.stopped_us / self.stops
        late = (
            f", and goprobe waited {self.late_us:,.0f} µs for a processor" if self.late_us else ""
        )
        return (
            f"The times are no measure of short calls: {counted(self.stops, 'stop')} took "
            f"{each:,.0f} µs each, for which others that stopped were not seen{late}; both may be "
            "in them"
        )
