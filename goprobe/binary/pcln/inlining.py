"""Which code of a machine function is that of calls inlined into it (src/runtime/symtabinl.go)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from itertools import pairwise

from goprobe.binary.pcln.format import FUNCDATA_INL_TREE, PCDATA_INL_TREE_INDEX, Function
from goprobe.binary.pcln.pcvalue import NO_RUNS
from goprobe.binary.pcln.table import INLINE_DEPTH_LIMIT, LineTable
from goprobe.errors import UnreadableError

OWN = -1
"""The number of a function's own code among its copies."""


def inlined_copies(table: LineTable, low: int, high: int) -> Iterator[tuple[int, int, int]]:
    """Code [low, high) of one function cut where it goes over into an inlined call's, with that
    call's number within the function, or OWN; left out is what stands at no line of its own (see
    `without_position`). Raises UnreadableError where the tree of inlined calls is damaged."""
    function = table.function_at(low)
    runs = table.pcdata_runs(function, PCDATA_INL_TREE_INDEX) if function else NO_RUNS
    nowhere = set(without_position(table, function, low, high)) if function else ()
    for start, end, call in runs:
        cut_low = max(low, start + function.entry) if function else low
        cut_high = min(high, end + function.entry) if function else high
        if cut_low < cut_high and cut_low not in nowhere:
            yield cut_low, cut_high, call
    if not runs.ends:
        yield low, high, OWN


def inlined_at(table: LineTable, entry: int, copy: int, line: int) -> list[tuple[int, int]]:
    """The code [low, high) of all that was inlined, at any depth, by the calls at a line of one
    copy of a function's code."""
    function = table.function_at(entry)
    if function is None:
        return []
    runs = table.pcdata_runs(function, PCDATA_INL_TREE_INDEX)
    known = {copy: False, OWN: False}

    def inside(index: int, depth: int = 0) -> bool:
        if index not in known:
            at = table.inlined_call(function, index).parent_pc
            parent = runs.value(at)
            if parent == copy:
                known[index] = table.position(function, function.entry + at)[1] == line
            else:
                known[index] = depth < INLINE_DEPTH_LIMIT and inside(parent, depth + 1)
        return known[index]

    try:
        ranges = [(low, high) for low, high, index in runs if inside(index)]
    except UnreadableError:
        return []
    return [(low + function.entry, high + function.entry) for low, high in ranges]


def without_position(table: LineTable, function: Function, low: int, high: int) -> Iterator[int]:
    """Where in [low, high) a function's own code begins that no statement stands for (what the
    compiler moves at a loop's end): it keeps the position of what lies before it, an inlined
    call's, which is made elsewhere (pctofileline and pctoinline of src/cmd/internal/obj/pcln.go,
    Go 1.21 to 1.27). Raises UnreadableError where the tree of inlined calls is damaged."""
    if not table.funcdata(function, FUNCDATA_INL_TREE):
        return
    for (_, _, before), (start, _, copy) in pairwise(
        table.pcdata_runs(function, PCDATA_INL_TREE_INDEX)
    ):
        at = function.entry + start
        if copy != OWN or before == OWN or not low <= at < high:
            continue
        here, calls = table.position(function, at), list(table.inlined_calls(function, at - 1))
        elsewhere = any(
            table.position(function, function.entry + call.parent_pc) != here for call in calls[-1:]
        )
        if elsewhere and table.position(function, at - 1) == here:
            yield at


def inlined_names(table: LineTable) -> frozenset[str]:
    """The functions of the source that were inlined anywhere; of a damaged tree those before."""
    names: set[int] = set()
    for function in table.functions():
        names.update(_inlined_into(table, function))
    return frozenset(map(table.name_at, names))


def written_in(table: LineTable, function: Function) -> frozenset[str]:
    """The functions of the source that the code of one is made of: itself, and what was inlined."""
    return frozenset((function.name, *map(table.name_at, _inlined_into(table, function))))


def _inlined_into(table: LineTable, function: Function) -> Iterator[int]:
    """The places of the names of what was inlined; of a damaged tree those before."""
    runs = table.pcdata_runs(function, PCDATA_INL_TREE_INDEX)
    with suppress(UnreadableError):
        for index in range(max(runs.values, default=OWN) + 1):
            yield table.inlined_call(function, index).name_offset


def inlined_lines(table: LineTable, function: Function) -> Iterator[int]:
    """The lines of the declarations of all functions that were inlined into one."""
    runs = table.pcdata_runs(function, PCDATA_INL_TREE_INDEX)
    for index in range(max(runs.values, default=OWN) + 1):
        try:
            yield table.inlined_call(function, index).start_line
        except UnreadableError:
            return
