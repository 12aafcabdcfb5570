"""What has changed between two stops: where a variable lies, what it holds, where its stack is."""

from __future__ import annotations

from msgspec import UNSET

from goprobe.model.trace import Bounds, StopReport
from goprobe.model.value import Variable
from goprobe.report.selection import value_text


def key_of(stop: StopReport, variable: Variable) -> str:
    """The same for the same variable of the same call, however deep the calls below it go."""
    depth = len(stop.frames) - variable.frame
    line = 0 if variable.line is UNSET else variable.line
    return f"{stop.goroutine}/{depth}/{variable.function}/{variable.name}/{line}"


class Past:
    """Variables and stacks as they were last seen."""

    __slots__ = ("_stacks", "_variables")

    def __init__(self) -> None:
        self._stacks: dict[int, Bounds] = {}
        self._variables: dict[str, Variable] = {}

    def remember(self, stop: StopReport) -> None:
        if stop.stack is not UNSET:
            self._stacks[stop.goroutine] = stop.stack
        self._variables = {key_of(stop, v): v for v in stop.variables}

    def stack(self, goroutine: int) -> Bounds | None:
        return self._stacks.get(goroutine)

    def news(self, stop: StopReport, variable: Variable) -> str:
        """What is new of a variable since the stop before, in words; empty where nothing is."""
        before = self._variables.get(key_of(stop, variable))
        if before is None:
            return ""
        told = []
        if _moved(before, variable):
            told.append(f"moved here from {before.address}")
        old, new = (value_text(v.type, v.value, v.data) for v in (before, variable))
        if new and not old:
            told.append("has a value now")
        elif new != old:
            told.append(f"was {old}")
        return ", ".join(told)


def moved_stack(stop: StopReport, past: Past) -> tuple[str, ...]:
    """A sentence on the goroutine's stack where it has moved since it was last seen."""
    before = past.stack(stop.goroutine)
    if before is None or stop.stack is UNSET or before == stop.stack or not stop.goroutine:
        return ()
    return (
        f"The stack of goroutine {stop.goroutine} has moved from {before.low} to "
        f"{stop.stack.low}: all that lies on it has a new address.",
    )


def _moved(before: Variable, now: Variable) -> bool:
    known = before.address is not UNSET and now.address is not UNSET
    return known and before.address != now.address
