"""Calls of Go functions in a script's hands: `program.calls("main.(*Store).*")`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from msgspec import UNSET, UnsetType

from goprobe.analysis.calls.calls import CallsRequest
from goprobe.api.notebook import line
from goprobe.api.told import Told
from goprobe.errors import NoSuchElementError, UsageError
from goprobe.model.calls import CallFrame, CallRecord, CallValue


def calls_wanted(
    patterns: Sequence[str], *, args: bool, results: bool, stack: bool, seconds: float | None
) -> CallsRequest:
    """Which calls a script asks for. Raises UsageError where it names none."""
    if not patterns:
        raise UsageError("name the functions: calls('main.(*Store).*')")
    return CallsRequest(
        patterns=tuple(patterns), arguments=args, results=results, stack=stack, seconds=seconds
    )


class CalledWith(Mapping[str | int, Told]):
    """Arguments or results by their names, in the order of the signature; those without a name, and
    any other, too, by their number: `call.results[0]`."""

    def __init__(self, values: tuple[CallValue, ...] | UnsetType, why: str, what: str) -> None:
        self._values = () if values is UNSET else values
        self._why = why or (f"{what} were not asked for" if values is UNSET else "")
        self._what = what

    @property
    def why(self) -> str:
        """Why there are none, "" where there are all."""
        return self._why

    def __getitem__(self, key: str | int) -> Told:
        if self._why:
            raise UsageError(f"there are no {self._what}: {self._why}")
        if isinstance(key, int):
            if -len(self._values) <= key < len(self._values):
                return Told(self._values[key])
        else:
            for value in self._values:
                if value.name == key:
                    return Told(value)
        names = ", ".join(v.name or "_" for v in self._values) or "none"
        raise NoSuchElementError(f"no {key!r} among the {self._what}", hint=f"there are: {names}")

    def __iter__(self) -> Iterator[str | int]:
        values = enumerate(self._values)
        return (number if value.name in ("", "_") else value.name for number, value in values)

    def __len__(self) -> int:
        return len(self._values)

    def _ipython_key_completions_(self) -> list[str]:
        return [str(key) for key in self]

    def __repr__(self) -> str:
        if self._why:
            return f"<{self._why}>"
        return ", ".join(f"{v.name}={v.text}" if v.name else v.text for v in self._values)


class Call:
    """A call of a Go function that is over (or, with `end` "open", was when the watch ended).

    `args` and `results` are its values, `duration` in seconds how long it ran, without the time for
    which goprobe stopped it. `end` is "return", "panic", "goexit", "tail", "open" or "unseen".
    """

    def __init__(self, record: CallRecord) -> None:
        self.record = record
        self.args = CalledWith(record.arguments, record.no_arguments, "arguments")
        why = record.no_results or (f"it ended by {record.end}" if record.end != "return" else "")
        self.results = CalledWith(record.results, why, "results")

    @property
    def function(self) -> str:
        """Its name; of a generic one with the shapes of its types, which Go's stack traces have as
        [...]."""
        return self.record.function

    @property
    def goroutine(self) -> int:
        """The goroutine's number; 0 for a system stack."""
        return self.record.goroutine

    @property
    def depth(self) -> int:
        """How many calls that are told are around it."""
        return self.record.depth

    @property
    def began(self) -> float:
        """When, in seconds since the watch began."""
        return self.record.began_us / 1e6

    @property
    def duration(self) -> float:
        """In seconds, without the time for which goprobe stopped it."""
        return self.record.duration_us / 1e6

    @property
    def end(self) -> str:
        """return, panic, goexit, tail, open or unseen."""
        return self.record.end

    @property
    def why(self) -> str:
        """The panic's value, or what else is known of its end."""
        return self.record.why

    @property
    def stack(self) -> tuple[CallFrame, ...]:
        """Who called, innermost first, where that was asked for."""
        return self.record.stack if self.record.stack is not UNSET else ()

    def _repr_html_(self) -> str:
        return line(self)

    def __repr__(self) -> str:
        told = f" = {self.results!r}" if self.end == "return" else f" {self.why or self.end}"
        return f"<{self.function}({self.args!r}){told}, {self.duration * 1e6:.1f} µs>"
