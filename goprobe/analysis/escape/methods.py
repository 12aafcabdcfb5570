"""What an interface call may lead to: every method in the binary of the name that is called.

The code calls the method by its place in a table; its name stands in the source, on the line that
is the call's own. The linker keeps the methods that some interface may call (cmd/link,
deadcode.go), so all that bear a name of that line are all that it can be. The line has to be the
function's: `//line` can give it any other's.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import cached_property

from goprobe.analysis.escape.promises import name_declared
from goprobe.binary.pcln.format import GENERATED, Function, SourceFrame, without_type_arguments
from goprobe.binary.pcln.table import LineTable

# A name and the parenthesis of its call stand on one line: a line feed between would end the
# statement. The name may stand in parentheses itself.
_CALLED = re.compile(r"\.\s*([^\W\d]\w*)[\s)]*\(")
_METHOD = re.compile(r".*\)\.([^\W\d]\w*)|.*\.[^\W\d]\w*(?:\[.*\])?\.([^\W\d]\w*)", re.DOTALL)
_WORD = re.compile(r"[^\W\d]\w*")
_LITERALS_OF_PACKAGES = frozenset(("glob", "init"))
_MOST = 64


class Methods:
    """`lines` gives a file's lines, () where it cannot be read, or changed since the build."""

    def __init__(self, table: LineTable, lines: Callable[[str], Sequence[str]]) -> None:
        self._table, self._lines = table, lines

    def behind(self, frames: Sequence[SourceFrame]) -> tuple[Function, ...]:
        """The methods that a call in this place may lead to; () where nobody can tell."""
        names = self.names(frames)
        entries = {e: None for name in names for e in self._by_name.get(name, ())}
        if not names or not entries or len(entries) > _MOST:
            return ()
        functions = (self._table.function_at(entry) for entry in entries)
        return tuple(f for f in functions if f is not None)

    def names(self, frames: Sequence[SourceFrame]) -> tuple[str, ...]:
        """What the method may be called that a call in this place leads to; () where nobody can
        tell."""
        return self._names(frames[0]) if frames else ()

    def _names(self, frame: SourceFrame) -> tuple[str, ...]:
        if frame.file == GENERATED:  # a method that is promoted from an embedded interface
            return tuple(filter(None, (method_name(frame.function.removesuffix("-fm")),)))
        lines = self._lines(frame.file)
        if not _is_of(frame, lines):
            return ()
        return tuple(dict.fromkeys(_CALLED.findall(lines[frame.line - 1])))

    @cached_property
    def _by_name(self) -> dict[str, list[int]]:
        """Entries of methods, by the last part of their names."""
        known: dict[str, list[int]] = {}
        for name in self._table.names():
            if short := method_name(name):
                known.setdefault(short, []).extend(
                    f.entry for f in self._table.functions_named(name)
                )
        return known


def method_name(symbol: str) -> str:
    """What a method is called in its type, "" for what is none."""
    match = _METHOD.fullmatch(symbol)
    return (match[1] or match[2]) if match else ""


def _is_of(frame: SourceFrame, lines: Sequence[str]) -> bool:
    """Whether a place's line is in the function that bears its name there. No comment on the line
    may hide where a name ends, and none of the file may rename its lines."""
    if not 0 < frame.line <= len(lines) or "/*" in lines[frame.line - 1]:
        return False
    if any(line.startswith("//line ") or "/*line " in line for line in lines):
        return False
    names = set(_WORD.findall(without_type_arguments(frame.function).rpartition("/")[2]))
    above = (name_declared(lines[n - 1]) for n in range(frame.line, 0, -1))
    declared = next(filter(None, above), "")
    return declared in names or bool(names & _LITERALS_OF_PACKAGES)
