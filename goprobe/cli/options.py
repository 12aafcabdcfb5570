"""The options that commands share, each declared once, in groups.

A command takes a whole group as one parameter of its `run`:

    def run(self, target: str, *, output: Output, tools: Tools) -> int:

and `parameters_of` has the group's fields in its place.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from typing import Annotated, Any, get_args, get_type_hints

import msgspec

from goprobe.cli.declare import Argument, Context, Option
from goprobe.cli.lengths import length
from goprobe.errors import UsageError

REQUIRED: Any = msgspec.NODEFAULT


_BY_ENDING = {
    ".json": "json",
    ".html": "html",
    ".htm": "html",
    ".sarif": "sarif",
    ".md": "markdown",
    ".pprof": "pprof",
    ".pb.gz": "pprof",
}
"""What a file is to be written in, where nobody says so."""


class Output(msgspec.Struct, frozen=True):
    """Where the report goes and what it looks like."""

    format: Annotated[
        str, Option("--format", metavar="FORMAT", help="text, json, html (goprobe help formats).")
    ] = ""
    path: Annotated[
        list[str] | None,
        Option(
            "-o",
            "--output",
            metavar="FILE",
            help="Write to FILE, as its name ends; or FORMAT=FILE.",
        ),
    ] = None
    json: Annotated[bool, Option("--json", help="Short for --format json.")] = False
    verbose: Annotated[
        bool, Option("-v", "--verbose", help="Show the evidence and every detail.")
    ] = False

    @property
    def format_name(self) -> str:
        if self.json and self.format not in ("", "text", "json"):
            raise UsageError(f"--json and --format {self.format} contradict each other")
        return "json" if self.json else self.format or "text"

    @property
    def files(self) -> tuple[tuple[str, str], ...]:
        """Each file with its format: that before it, else the one that is asked for, else as its
        name ends. Raises UsageError where two are to be written in one."""
        from goprobe.report import all_formats

        made: dict[str, str] = {}
        plain: list[str] = []
        for text in self.path or ():
            form, equals, file = text.partition("=")
            named = bool(equals) and form in all_formats()
            if equals and not named and form.isalpha():
                there = f"there are {', '.join(all_formats())}"
                raise UsageError(
                    f"-o {text}: there is no format {form}; {there}",
                    hint=f"a file of that name is -o ./{text}",
                )
            form, file = (form, file) if named else (self._format_of(text), text)
            plain += [] if named else [form]
            if not file or file in made:
                why = "that file is given twice" if file else "there is no file"
                raise UsageError(f"-o {text}: {why}")
            made[file] = form
        if len(plain) > len(set(plain)):
            raise UsageError("several files in one format", hint="-o FORMAT=FILE names each one's")
        return tuple((form, file) for file, form in made.items())

    def _format_of(self, file: str) -> str:
        if self.format or self.json:
            return self.format_name
        return next((f for end, f in _BY_ENDING.items() if file.lower().endswith(end)), "text")

    @property
    def formats(self) -> tuple[str, ...]:
        """All that the report is to be written in."""
        return (self.format_name, *(form for form, _ in self.files))


_Go = Annotated[str, Option("--go", metavar="PATH", help="The go command to use.")]


class Toolchain(msgspec.Struct, frozen=True):
    """The go command, for what needs no GDB; empty means: look for it."""

    go: _Go = ""


class Tools(msgspec.Struct, frozen=True):
    """The programs that goprobe drives; empty means: look for it."""

    go: _Go = ""
    gdb: Annotated[str, Option("--gdb", metavar="PATH", help="The gdb to use.")] = ""


Timeout = Annotated[
    str, Option("--timeout", metavar="TIME", help="End the program after so long: 60, 90s, 5m.")
]


def limit(timeout: str) -> float:
    """The seconds that a --timeout sets; a program may be wanted to run for weeks."""
    return length("--timeout", timeout, longest=math.inf)


class Patience(msgspec.Struct, frozen=True):
    """How long the target may run."""

    timeout: Timeout = "60"

    def __post_init__(self) -> None:
        _ = self.seconds

    @property
    def seconds(self) -> float:
        return limit(self.timeout)


class Process(msgspec.Struct, frozen=True):
    """A Go process that runs already."""

    process: Annotated[str, Argument(metavar="PROCESS", hidden=True)]
    assume_go: Annotated[
        str,
        Option("--assume-go", metavar="X.Y", help="Read the binary as this Go release's."),
    ] = ""

    image: Annotated[
        str,
        Option("--image", metavar="NAME", help="Read this library's Go program, of several."),
    ] = ""

    exe: Annotated[
        str, Option("--exe", metavar="BINARY", help="The executable that a core file is of.")
    ] = ""

    max_stop: Annotated[
        str,
        Option("--max-stop", metavar="TIME", help="Refuse what would hold it still for longer."),
    ] = ""

    @property
    def most_seconds(self) -> float:
        """How long the process may stand still at a time. Raises UsageError."""
        return length("--max-stop", self.max_stop) if self.max_stop else math.inf

    @property
    def is_number(self) -> bool:
        return self.process.isascii() and self.process.isdecimal()

    @property
    def pid(self) -> int:
        """The process's number; raises UsageError where nobody, or several, are called so."""
        if self.is_number:
            return int(self.process)
        from goprobe.target.naming import process_called

        return process_called(self.process)


class Parameter(msgspec.Struct, frozen=True):
    """One parameter of a command line: `kind` is its type, `default` REQUIRED where it has none."""

    name: str
    kind: Any
    declared: Option | Argument
    default: Any


def parameters_of(run: Callable[..., int]) -> list[Parameter]:
    """What a command's `run` declares, groups as their single options, in order."""
    hints = get_type_hints(run, include_extras=True)
    parameters: list[Parameter] = []
    for parameter in inspect.signature(run).parameters.values():
        kind = hints[parameter.name]
        if _is_group(kind):
            parameters += _fields_of(kind)
        elif kind is not Context:
            empty = parameter.default is inspect.Parameter.empty
            parameters.append(
                _declared(parameter.name, kind, REQUIRED if empty else parameter.default)
            )
    return parameters


def bound(run: Callable[..., int], given: dict[str, Any], context: Context) -> Callable[[], int]:
    """The call of `run` with what was given, still to be made. A group may refuse its values."""
    hints = get_type_hints(run, include_extras=True)
    arguments: dict[str, Any] = {}
    for name in inspect.signature(run).parameters:
        kind = hints[name]
        if kind is Context:
            arguments[name] = context
        elif _is_group(kind):
            arguments[name] = kind(**{name: given[name] for name in kind.__struct_fields__})
        else:
            arguments[name] = given[name]
    return lambda: run(**arguments)


def _is_group(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct) and kind is not Context


def _fields_of(group: type[Any]) -> list[Parameter]:
    hints = get_type_hints(group, include_extras=True)
    return [_declared(f.name, hints[f.name], f.default) for f in msgspec.structs.fields(group)]


def _declared(name: str, hint: Any, default: Any) -> Parameter:
    kind, declared = get_args(hint)[:2]
    return Parameter(name, kind, declared, default)
