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
from goprobe.binary.dwarf.gotypes import GoKind, GoType
from goprobe.binary.pcln.format import GENERATED, Function, SourceFrame, without_type_arguments
from goprobe.binary.pcln.table import LineTable

# A name and the parenthesis of its call stand on one line: a line feed between would end the
# statement. The name may stand in parentheses itself.
_CALLED = re.compile(r"\.\s*([^\W\d]\w*)[\s)]*\(")
# The same with what it is called of, where that is names alone.
_CALLED_OF = re.compile(r"(?<![\w.)\]])([^\W\d]\w*(?:\.[^\W\d]\w*)*)\.([^\W\d]\w*)\(")
_METHOD = re.compile(r".*\)\.([^\W\d]\w*)|.*\.[^\W\d]\w*(?:\[.*\])?\.([^\W\d]\w*)", re.DOTALL)
_WORD = re.compile(r"[^\W\d]\w*")
_LITERALS_OF_PACKAGES = frozenset(("glob", "init"))
_MOST = 64
_FEW = 3


class Methods:
    """`lines` gives a file's lines, () where it cannot be read, or changed since the build;
    `types_of` what the type of an expression in a function may be."""

    def __init__(
        self,
        table: LineTable,
        lines: Callable[[str], Sequence[str]],
        types_of: Callable[[str, str], Sequence[GoType]],
    ) -> None:
        self._table, self._lines, self._types_of = table, lines, types_of

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

    def told(self, frames: Sequence[SourceFrame]) -> str:
        """The method that is called in this place, "(io.Reader).Read", as far as its name and its
        interface are known; "" where neither is."""
        names = self.names(frames)
        if not names or frames[0].file == GENERATED:
            return " or ".join(names)
        told = dict.fromkeys(names, "")
        for receiver, name in _CALLED_OF.findall(self._lines(frames[0].file)[frames[0].line - 1]):
            types = self._types_of(receiver, frames[0].function)
            of = [f"({t.name}).{name}" for t in types if t.kind is GoKind.INTERFACE and t.name]
            if (types and not of) or self._is_import(receiver, frames[0].file):
                told.pop(name, None)  # of no interface
            elif len(of) == 1 and told.get(name) in ("", of[0]):
                told[name] = of[0]
        methods = [method or name for name, method in told.items()] or names
        return " or ".join(methods) if len(methods) <= _FEW else ""

    def _is_import(self, name: str, file: str) -> bool:
        """Whether a name is that of a package, as the file's imports have it."""
        imported = re.compile(rf'\s*(?:import\s+)?(?:{name}\s+"[^"]+"|"(?:[^"]*/)?{name}")')
        return any(map(imported.match, self._lines(file)))

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
