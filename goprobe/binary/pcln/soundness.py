"""What a line table says in two places, held against itself.

A call that was inlined has the name and the line of its function in its caller's tree of inlined
calls; most such functions have code of their own, too, whose record says both once more
(cmd/link/internal/ld/pcln.go writes the tree, src/runtime/runtime2.go has the record). A name is
written once, so that both name it by the same offset.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress

from goprobe.binary.pcln.format import Function, InlinedCall
from goprobe.binary.pcln.table import LineTable
from goprobe.errors import UnreadableError


def misnamed(table: LineTable, spots: Iterable[tuple[int, Function]]) -> Iterator[str]:
    """Why the functions that were inlined at these addresses cannot be those that are named."""
    calls = list(_inlined(table, spots))
    declared = _declared(table, {call.name_offset for _, call in calls})
    for pc, call in calls:
        lines = declared.get(call.name_offset, {call.start_line})
        if not table.begins_name(call.name_offset):
            yield f"the name of the call inlined at {pc:#x} begins within another"
        elif call.start_line not in lines:
            name = table.name_at(call.name_offset)
            yield (
                f"the line table has {name}, declared at line {call.start_line}, inlined at "
                f"{pc:#x}, and {name} itself at line {min(lines)}"
            )


def _declared(table: LineTable, names: Collection[int]) -> dict[int, set[int]]:
    """The lines at which functions of these names are declared, of those with code of their own."""
    declared: dict[int, set[int]] = {}
    for index, name in enumerate(table.name_offsets if names else ()):
        if name in names:
            with suppress(UnreadableError):
                declared.setdefault(name, set()).add(table.function(index).start_line)
    return declared


def _inlined(
    table: LineTable, spots: Iterable[tuple[int, Function]]
) -> Iterator[tuple[int, InlinedCall]]:
    for pc, function in spots:
        with suppress(UnreadableError):  # then nothing is told of what is inlined there
            yield from ((pc, call) for call in table.inlined_calls(function, pc))
