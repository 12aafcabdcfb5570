"""The variables of one frame, by name; and what is said of a name that is none of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from html import escape

from msgspec import UNSET

from goprobe.api.notebook import table
from goprobe.api.script.value import Value
from goprobe.errors import NoSuchElementError
from goprobe.model import trace
from goprobe.model.value import Variable

_NAMES_SHOWN = 30


class FrameScope:
    """The variables of one frame, by name."""

    def __init__(self, frame: trace.Frame, variables: tuple[Value, ...]) -> None:
        self.function = frame.function
        self.file = frame.file
        self.line = frame.line
        self.variables = variables

    def __getitem__(self, name: str) -> Value:
        variable = self.get(name)
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
