"""A profile by which the compiler inlines more (default.pgo beside package main): calls that the
program's functions make of its helpers, as hot as they come."""

from __future__ import annotations

import re
from collections.abc import Iterator

from scripts.truths.choices import Choices

FILE = "default.pgo"
_DECLARED = re.compile(r"func (?:\(\w+ (\*?\w+)(?:\[\w+\])?\) )?(\w+)(\[[^\]]*\])?\(")
_CALLED = re.compile(r"(?<![\w.])(\w+)(?:\[[^\]]*\])?\(")
_MOST = 60  # ids and lengths are bytes of one part: below 128


def profile(choices: Choices, text: str) -> str:
    """In the format of runtime/pprof, with bytes below 128 alone (profile.proto of
    github.com/google/pprof): of each call in some function of `text` a sample, the callee first."""
    edges = [edge for edge in _calls(text) if choices.chance(60)][:_MOST]
    names = list(dict.fromkeys(name for caller, callee, _ in edges for name in (caller, callee)))
    strings = ["", "samples", "count", *(f"main.{name}" for name in names)]
    out = _message(1, _number(1, 1) + _number(2, 2))
    for at, (caller, callee, line) in enumerate(edges):
        leaf, of = 2 * at + 1, 2 * at + 2
        out += _message(2, _message(1, chr(leaf) + chr(of)) + _message(2, chr(100)))
        out += _message(4, _number(1, leaf) + _message(4, _line(names.index(callee), 1)))
        out += _message(4, _number(1, of) + _message(4, _line(names.index(caller), line)))
    for at, _ in enumerate(names):
        function = _number(1, at + 1) + _number(2, at + 3) + _number(3, at + 3) + _number(5, 1)
        out += _message(5, function)
    return out + "".join(_message(6, text) for text in strings)


def _line(function: int, line: int) -> str:
    return _number(1, function + 1) + _number(2, line)


def _number(field: int, value: int) -> str:
    return chr(8 * field) + chr(value)


def _message(field: int, text: str) -> str:
    return chr(8 * field + 2) + chr(len(text)) + text


def _calls(text: str) -> Iterator[tuple[str, str, int]]:
    """Caller, callee and the line counted from the caller's first, 1."""
    lines = text.split("\n")
    declared = [(n, m[2]) for n, line in enumerate(lines) if (m := _DECLARED.match(line))]
    plain = {m[2] for line in lines if (m := _DECLARED.match(line)) and not (m[1] or m[3])}
    for start, caller in declared:
        if caller not in plain:
            continue
        for n in range(start + 1, min(len(lines), start + 126)):
            if lines[n].startswith("}"):
                break
            for callee in dict.fromkeys(_CALLED.findall(lines[n])):
                if callee in plain and callee != caller:
                    yield caller, callee, n - start + 1
