"""Write docs/python.md: the public names of goprobe, from the code and its docstrings.

Every name of `goprobe.__all__` stands in one of SECTIONS; a name that is in none, or a public thing
without a docstring, is a mistake that is told.
"""

from __future__ import annotations

import enum
import inspect
import re
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import msgspec

import goprobe
import goprobe.testing
from scripts.lib import wordsreference

FILE = Path(__file__).parents[2] / "docs" / "python.md"

HEAD = """\
# goprobe from Python

Made by `scripts/make-reference` from the code; [tutorial.md](tutorial.md) shows how it is used. All
of it is typed. Addresses are of the Go process, sizes in bytes, times in seconds where a name does
not say otherwise (`_us`, `_ns`). Reports are those of `--json`, as objects.
"""

SECTIONS: dict[str, tuple[str, ...]] = {
    "Go through a program stop by stop": (
        "launch", "replay", "Program", "Condition", "PANIC", "FATAL", "GOROUTINE", "GOROUTINE_END",
        "STACK_MOVE", "FORK", "EXEC", "EXIT",
    ),
    "What is there at a stop": (
        "Stop", "FrameScope", "Frame", "Value", "Panic", "Watch", "Hit", "WatchNews",
        "HeapPath", "Objects",
        "TypedMemory",
        "StopWarning", "SessionInfo", "Exit", "Diff", "Changed", "Moved",
    ),
    "Ask a running process": ("attach", "Process", "Sites", "Snapshot", "assert_no_leaks"),
    "Calls": ("Call", "CalledWith", "Told", "CallRecord", "CallValue", "CallFrame"),
    "Hold predictions against a run": ("escape", "assert_promises", "assert_no_allocation"),
    "One trace, as the command makes it": ("trace", "TraceRequest"),
    "Reports, and what they are made of": (
        "TraceReport", "EscapeReport", "HeapReport", "GoroutinesReport", "MapsReport",
        "MemoryReport",
        "WhereReport", "StopReport", "GoroutineState", "Variable", "Element", "Data", "State",
        "Location", "Kind", "Address",
    ),
    "Errors": (
        "GoprobeError", "UsageError", "BuildError", "NotGoError", "NoSuchElementError",
        "NoSuchFieldError", "CannotWorkError", "NoGoError", "NoGdbError", "NotPermittedError",
        "StopTooLongError", "TargetError", "TargetGoneError", "TargetTimeoutError", "GdbDiedError",
        "UnreadableError",
    ),
}  # fmt: skip

INTERNAL = {"Stop.end", "Stop.go_on"}
"""What the API's own files call of each other."""

TESTING = "In pytest: the fixture `goprobe`"


def main() -> None:
    FILE.write_text(document(), encoding="utf-8")
    wordsreference.FILE.write_text(wordsreference.document(), encoding="utf-8")
    print(FILE, wordsreference.FILE)


def document() -> str:
    """The reference. Raises ValueError where it would leave something out."""
    _raise_if_incomplete()
    parts = [HEAD]
    for title, names in SECTIONS.items():
        parts.append(f"## {title}\n")
        parts += [_entry(name, getattr(goprobe, name)) for name in names]
    parts.append(f"## {TESTING}\n")
    parts.append(_paragraphs(goprobe.testing) + "\n")
    parts += [_entry(name, getattr(goprobe.testing, name)) for name in goprobe.testing.__all__]
    return "\n".join(parts)


def _raise_if_incomplete() -> None:
    told = {name for names in SECTIONS.values() for name in names}
    if missing := set(goprobe.__all__) - told - {"__version__"}:
        raise ValueError(f"in no section of {__file__}: {', '.join(sorted(missing))}")


def _entry(name: str, thing: object) -> str:
    if inspect.isclass(thing):
        return _class(name, thing)
    if inspect.isfunction(thing):
        return f"### `{name}`\n\n{_signature(name, thing)}\n{_paragraphs(thing)}\n"
    return f"### `{name}`\n\n{_constant(name, thing)}\n"


def _class(name: str, kind: type) -> str:
    base = kind.__bases__[0].__name__
    shown = f" ({base})" if issubclass(kind, Exception) and base != "Exception" else ""
    lines = [f"### `{name}`{shown}\n", _paragraphs(kind), ""]
    if issubclass(kind, enum.Enum):
        return "\n".join([*lines, ", ".join(f"`{member.value}`" for member in kind), ""])
    if issubclass(kind, msgspec.Struct):
        fields = kind.__annotations__
        lines += ["```python", *(f"{f}: {_plain(str(t))}" for f, t in fields.items()), "```", ""]
    for member, what in _members(kind):
        lines.append(f"- {_member(member, what)}")
    return "\n".join(lines).rstrip() + "\n"


def _members(kind: type) -> Iterator[tuple[str, object]]:
    """Its public methods and properties, in the order of the source, bases of ours first."""
    seen: dict[str, object] = {}
    for one in reversed(kind.__mro__):
        if one.__module__.startswith("goprobe"):
            seen |= {n: v for n, v in vars(one).items() if not n.startswith("_")}
    for name, what in seen.items():
        callable_ = isinstance(what, property | classmethod | staticmethod)
        if (callable_ or inspect.isfunction(what)) and f"{kind.__name__}.{name}" not in INTERNAL:
            yield name, what


def _member(name: str, what: object) -> str:
    if isinstance(what, property):
        return f"`{name}`: {_flat(what)}"
    function = what.__func__ if isinstance(what, classmethod | staticmethod) else what
    return f"`{_call(name, function)}`: {_flat(function)}"


def _signature(name: str, function: object) -> str:
    text = _call(name, function)
    if len(text) > 90:
        opening, _, rest = text.partition("(")
        inner, _, after = rest.rpartition(")")
        arguments = "".join(f"    {argument},\n" for argument in _split(inner))
        text = f"{opening}(\n{arguments}){after}"
    return f"```python\n{text}\n```\n"


def _split(arguments: str) -> list[str]:
    """At the commas that stand in no bracket."""
    depth, parts = 0, [""]
    for letter in arguments:
        depth += (letter in "[(") - (letter in "])")
        if letter == "," and not depth:
            parts.append("")
        else:
            parts[-1] += letter
    return [part.strip() for part in parts]


def _call(name: str, function: object) -> str:
    assert callable(function)
    signature = inspect.signature(function)
    kept = [
        p.replace(annotation=_Bare(_plain(str(p.annotation))))
        for p in signature.parameters.values()
        if p.name not in ("self", "cls")
    ]
    returned = _Bare(_plain(str(signature.return_annotation)))
    shown = signature.replace(parameters=kept, return_annotation=returned)
    return name + str(shown).replace("'", '"')


class _Bare(str):
    """An annotation that is shown without quotes."""

    def __repr__(self) -> str:
        return str(self)


def _plain(annotation: str) -> str:
    """Without the modules of types."""
    return re.sub(r"\b(?:[a-z_]+\.)+(?=[A-Z])", "", annotation)


def _constant(name: str, thing: object) -> str:
    home = sys.modules[goprobe._HOMES[name]]
    source = inspect.getsource(home)
    about = re.search(rf'^{name} = [^\n]*\n"""(.*?)"""', source, re.DOTALL | re.MULTILINE)
    if not about:
        raise ValueError(f"{name} says nothing of itself")
    return re.sub(r"\s+", " ", about.group(1)).strip()


def _paragraphs(thing: object) -> str:
    """Its docstring; what is set in, as code."""
    parts = []
    for part in re.split(r"\n\s*\n", _text(thing)):
        code = part.startswith("    ") or part.lstrip().startswith(("with goprobe", "report ="))
        parts.append(f"```python\n{textwrap.dedent(part)}\n```" if code else part)
    return re.sub(r"\n```\n\n```python\n(?= )", "\n\n", "\n\n".join(parts))


def _flat(thing: object) -> str:
    return re.sub(r"\s+", " ", _text(thing))


def _text(thing: object) -> str:
    text = inspect.getdoc(thing)
    if not text:
        raise ValueError(f"{getattr(thing, 'fget', thing)} has no docstring")
    return text


if __name__ == "__main__":
    main()
