"""The manual page in roff, made of what the commands and topics say of themselves."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence

from goprobe.cli.command import Command
from goprobe.cli.declare import Option
from goprobe.cli.manual import EXAMPLES, TOPICS
from goprobe.cli.options import REQUIRED, Parameter, parameters_of
from goprobe.version import __version__


def manpage(commands: Sequence[Command]) -> str:
    """goprobe(1)."""
    lines = [
        f'.TH GOPROBE 1 "" "goprobe {__version__}" "User Commands"',
        ".SH NAME",
        "goprobe \\- a live memory inspector for Go processes",
        ".SH SYNOPSIS",
        ".B goprobe",
        "\\fICOMMAND\\fR [\\fIOPTIONS\\fR] ...",
        ".SH COMMANDS",
    ]
    for command in commands:
        lines += _command(command)
    for title, entries in TOPICS.values():
        lines.append(f".SH {_escaped(title.upper())}")
        for word, meaning in entries():
            lines += [".TP", f".B {_escaped(word)}", _escaped(meaning)]
    return "\n".join(lines) + "\n"


def _command(command: Command) -> Iterator[str]:
    parameters = parameters_of(command.run)
    words = " ".join(
        p.declared.metavar or p.name.upper()
        for p in parameters
        if not isinstance(p.declared, Option)
    )
    yield f".SS goprobe {command.name} {_escaped(words)}"
    for paragraph in inspect.cleandoc(command.run.__doc__ or "").split("\n\n"):
        yield _escaped(" ".join(paragraph.split()))
        yield ".PP"
    for p in parameters:
        if isinstance(p.declared, Option) and not p.declared.hidden:
            yield from (".TP", _flags(p), _escaped(p.declared.help))
    for line, meaning in EXAMPLES.get(command.name, ()):
        yield from (".PP", f".B {_escaped(line)}", ".br", _escaped(meaning))


def _flags(p: Parameter) -> str:
    assert isinstance(p.declared, Option)
    value = f" \\fI{_escaped(p.declared.metavar)}\\fR" if p.declared.metavar else ""
    default = "" if p.default in (REQUIRED, None, "", False, 0) else f" (default {p.default})"
    return f"\\fB{_escaped(', '.join(p.declared.flags))}\\fR{value}{_escaped(default)}"


def _escaped(text: str) -> str:
    """As roff has it: no line begins with its own signs."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return "\\&" + text if text[:1] in (".", "'") else text
