"""Which addresses the statements of a function take: the compiler adds code of its own, which has
some statement's line, too, and says nothing of it."""

from __future__ import annotations

from collections.abc import Sequence

from goprobe.analysis.escape.allocationcall import CALL_SIZE
from goprobe.arch.machinecode import references
from goprobe.arch.machinefacts import Reference, StackAddress
from goprobe.binary.pcln.format import Function
from goprobe.binary.pcln.table import LineTable


def statement_references(
    code: bytes, function: Function, lines: LineTable, ends: Sequence[int]
) -> list[Reference]:
    """Those of a function's `code`, in its order; `ends` are those of the stretches of it that
    share a line."""
    wrapper, way_out = lines.is_wrapper(function.entry), _way_out(function, ends)
    return [
        reference
        for reference in references(code, function.entry)
        if not _is_stack_check(reference)
        and reference.pc not in way_out
        and not (wrapper and _is_above(reference, lines.frame_size(function, reference.pc)))
    ]


def _is_stack_check(reference: Reference) -> bool:
    """Whether a function with a large frame looks how far down its stack will go (stacksplit of
    cmd/internal/obj/x86/obj6.go): below the stack pointer there is nothing."""
    return isinstance(reference.what, StackAddress) and reference.what.offset < 0


def _way_out(function: Function, ends: Sequence[int]) -> range:
    """Where a function that has recovered a panic fetches its results (buildssa's DeferReturn,
    cmd/compile/internal/ssagen): that has the line of the last defer statement."""
    if not function.deferreturn:
        return range(0)
    low = function.entry + function.deferreturn + CALL_SIZE
    return range(low, next((end for end in ends if end > low), low))


def _is_above(reference: Reference, frame: int) -> bool:
    """Whether an address lies above the frame: a wrapper compares that of its caller's arguments
    with a panic's (preprocess of cmd/internal/obj/x86/obj6.go)."""
    return isinstance(reference.what, StackAddress) and 0 <= frame < reference.what.offset
