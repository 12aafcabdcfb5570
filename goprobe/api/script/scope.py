"""The variables of one frame, by name; and what is said of a name that is none of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from html import escape

from msgspec import UNSET

from goprobe.api.notebook import table
from goprobe.api.script.driver import EVENTS
from goprobe.api.script.value import Value
from goprobe.errors import GoprobeError, NoSuchElementError
from goprobe.model import trace
from goprobe.model.value import Variable

_NAMES_SHOWN = 30
_CLOSURE = re.compile(r"\.func\d+(\.\d+)*$")


class FrameScope:
    """The variables of one frame, by name."""

    def __init__(
        self, frames: Sequence[trace.Frame], index: int, variables: Sequence[tuple[int, Value]]
    ) -> None:
        own = frames[index]
        self.function = own.function
        self.file = own.file
        self.line = own.line
        self._around = _around(frames, index)
        self._outer = {v.name for frame, v in variables if frame == self._around}
        self.variables = tuple(v for frame, v in variables if frame == index)

    def __getitem__(self, name: str) -> Value:
        variable = self.get(name)
        if variable is None and self._around >= 0:
            outer = f"the function around it has a variable of that name: frame({self._around})"
            raise NoSuchElementError(
                f"no variable {name} is told at {self.function}: it was inlined, and then nothing "
                "describes what a closure has captured",
                hint=outer if name in self._outer else "",
            )
        if variable is None:
            raise no_such_variable(name, self.function, (v.name for v in self.variables))
        return variable

    def get(self, name: str) -> Value | None:
        """The variable of a name; None where there is none."""
        return next((v for v in self.variables if v.name == name), None)

    def __contains__(self, name: object) -> bool:
        return any(v.name == name for v in self.variables)

    def __iter__(self) -> Iterator[Value]:
        return iter(self.variables)

    def _ipython_key_completions_(self) -> list[str]:
        return list(dict.fromkeys(v.name for v in self.variables))


def _around(frames: Sequence[trace.Frame], index: int) -> int:
    """The frame of the function in which a closure stands that was inlined; -1 of others."""
    own = frames[index]
    if not own.inlined or not _CLOSURE.search(own.function):
        return -1
    outer = (
        at for at, frame in enumerate(frames)
        if at > index and own.function.startswith(f"{frame.function}.")
    )  # fmt: skip
    return next(outer, -1)


def of_user(where: str, name: str, told: Callable[[], Iterable[Variable]]) -> Variable | None:
    """At an event, which happens inside the runtime: the user's variable of a name, and not one of
    the runtime's own that is called so."""
    if where not in EVENTS:
        return None
    with suppress(GoprobeError):  # early recordings do not have them
        users = (v for v in told() if v.name == name and v.frame)
        return min(users, key=lambda v: v.frame, default=None)
    return None


def table_of(stop: trace.StopReport, variables: tuple[Variable, ...]) -> str:
    """A stop in HTML, for notebooks: where it is, and its innermost frame's variables."""
    rows = ((v.name, v.type, v.why if v.value is UNSET else v.value.text)
            for v in variables if not v.frame)  # fmt: skip
    at = f"{stop.function} ({stop.file}:{stop.line}), goroutine {stop.goroutine}"
    return f"<p>{escape(at)}</p>{table(rows)}"


def no_such_variable(name: str, function: str, known: Iterable[str]) -> NoSuchElementError:
    names = list(dict.fromkeys(known))
    from difflib import get_close_matches  # for mistakes only

    close = get_close_matches(name, names, n=3)
    hint = f"nearest: {', '.join(close)}; " if close else ""
    shown = ", ".join(names[:_NAMES_SHOWN]) + (", …" if len(names) > _NAMES_SHOWN else "")
    hint += f"in scope: {shown}" if names else "nothing is in scope"
    return NoSuchElementError(f"no variable {name} in scope at {function}", hint=hint)
