"""The options that commands share, each declared once, in groups.

A command takes a whole group as one parameter of its `run`:

    def run(self, target: str, *, output: Output, tools: Tools) -> int:

and `flatten` shows typer the group's fields in its place.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from dataclasses import MISSING, dataclass, fields, is_dataclass
from functools import wraps
from typing import Annotated, Any, get_type_hints

import typer

from goprobe.errors import UsageError

_FIND_PIDS = "pgrep -l NAME finds them"


@dataclass(frozen=True, slots=True)
class Output:
    """Where the report goes and what it looks like."""

    format: Annotated[
        str, typer.Option("--format", metavar="FORMAT", help="Write the report as text, json, …")
    ] = "text"
    path: Annotated[
        str, typer.Option("-o", "--output", metavar="FILE", help="Write the report to FILE.")
    ] = ""
    json: Annotated[bool, typer.Option("--json", help="Short for --format json.")] = False
    verbose: Annotated[
        bool, typer.Option("-v", "--verbose", help="Show the evidence and every detail.")
    ] = False

    @property
    def format_name(self) -> str:
        if self.json and self.format not in ("text", "json"):
            raise UsageError(f"--json and --format {self.format} contradict each other")
        return "json" if self.json else self.format


_Go = Annotated[str, typer.Option("--go", metavar="PATH", help="The go command to use.")]


@dataclass(frozen=True, slots=True)
class Toolchain:
    """The go command, for what needs no GDB; empty means: look for it."""

    go: _Go = ""


@dataclass(frozen=True, slots=True)
class Tools:
    """The programs that goprobe drives; empty means: look for it."""

    go: _Go = ""
    gdb: Annotated[str, typer.Option("--gdb", metavar="PATH", help="The gdb to use.")] = ""


Timeout = Annotated[
    str, typer.Option("--timeout", metavar="SECONDS", help="End the program after so long.")
]


def seconds(text: str) -> float:
    """The limit that a --timeout sets. Raises UsageError."""
    try:
        found = float(text)
    except ValueError:
        found = math.nan
    if not (math.isfinite(found) and found > 0):
        raise UsageError(f"--timeout takes a positive number of seconds, not {text!r}")
    return found


@dataclass(frozen=True, slots=True)
class Patience:
    """How long the target may run."""

    timeout: Timeout = "60"

    def __post_init__(self) -> None:
        _ = self.seconds

    @property
    def seconds(self) -> float:
        return seconds(self.timeout)


@dataclass(frozen=True, slots=True)
class Process:
    """A Go process that runs already."""

    process: Annotated[str, typer.Argument(metavar="PROCESS", hidden=True)]
    assume_go: Annotated[
        str,
        typer.Option(
            "--assume-go", metavar="X.Y", help="Read a stripped binary as this Go release's."
        ),
    ] = ""

    @property
    def pid(self) -> int:
        """Raises UsageError where it is no process number."""
        if not (self.process.isascii() and self.process.isdecimal()):
            raise UsageError(f"{self.process!r} is not a process number", hint=_FIND_PIDS)
        return int(self.process)


def flatten(run: Callable[..., int]) -> Callable[..., Callable[[], int]]:
    """`run` as typer is to see it: groups as single options, and the work not yet done.

    Calling the result returns the call of `run` still to be made. So the work happens outside of
    typer, whose own way with exceptions (an interrupt, a broken pipe, an end of input) is not ours.
    """
    hints = get_type_hints(run, include_extras=True)
    parameters: list[inspect.Parameter] = []
    groups: dict[str, tuple[type[Any], list[str]]] = {}
    for parameter in inspect.signature(run).parameters.values():
        kind = hints[parameter.name]
        if is_dataclass(kind) and isinstance(kind, type):
            groups[parameter.name] = (kind, [field.name for field in fields(kind)])
            parameters += _fields_as_parameters(kind)
        else:
            parameters.append(
                parameter.replace(annotation=kind, kind=inspect.Parameter.KEYWORD_ONLY)
            )

    @wraps(run)
    def parsed(**given: Any) -> Callable[[], int]:
        for name, (kind, names) in groups.items():
            given[name] = kind(**{field: given.pop(field) for field in names})
        return lambda: run(**given)

    del parsed.__wrapped__  # inspect would look through it
    parsed.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    parsed.__annotations__ = {p.name: p.annotation for p in parameters}
    return parsed


def _fields_as_parameters(group: type[Any]) -> list[inspect.Parameter]:
    hints = get_type_hints(group, include_extras=True)
    return [
        inspect.Parameter(
            field.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=inspect.Parameter.empty if field.default is MISSING else field.default,
            annotation=hints[field.name],
        )
        for field in fields(group)
    ]


def program_args(context: typer.Context) -> tuple[str, ...]:
    """What stood after `--`: the arguments of the Go program."""
    return tuple(context.obj or ())
