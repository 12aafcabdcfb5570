"""In which registers a call returns what a statement gives to several variables.

Of `k, item := f()` the debug information may have either name for either result: a value has all
names that it gets, `item` too where `item = k` stands further on, and any of them from where it is
made (cmd/compile/internal/ssa, NamedValues, Go 1.21 to 1.27). The calling convention says which
result is whose.
"""

from __future__ import annotations

from goprobe.analysis.trace.goscopes import is_one_call, segments_of, statements_of, targets_of
from goprobe.analysis.trace.gosyntax import Literal
from goprobe.arch.abi import assign
from goprobe.binary.dwarf.abitypes import abi_type
from goprobe.binary.dwarf.dieindex import FunctionEntry
from goprobe.binary.dwarf.info import DebugInfo, Local


def returned_in(
    debug: DebugInfo, function: FunctionEntry, source: Literal, local: Local
) -> frozenset[str] | None:
    """The registers of the result that a variable is declared for, where that is one of several of
    a call; none for one that is returned in memory. None where the source does not show it, or the
    debug information lacks one of the variables."""
    names = _declared_together(source, local)
    if names is None or local.name not in names:
        return None
    here = [v for v in debug.locals(function) if v.line == local.line]
    types = []
    for name in names:
        same = [v.type for v in here if v.name == name]
        if len(same) != 1:
            return None
        types.append(abi_type(debug.types, debug.types.at(same[0])))
    where = assign([], types).results[names.index(local.name)]
    return frozenset(piece.register for piece in where.pieces)


def _declared_together(source: Literal, local: Local) -> list[str] | None:
    """The names that a call's results are declared for, in order."""
    for statement in statements_of(source.body):
        for segment in segments_of(statement.header):
            targets = targets_of(segment, ":=")
            mine = any(t.text == local.name and t.line == local.line for t in targets)
            if mine and len(targets) > 1 and is_one_call(segment):
                return [t.text for t in targets]
    return None
