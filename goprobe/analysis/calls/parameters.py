"""How the debug information describes what a call of a function takes."""

from __future__ import annotations

from collections.abc import Sequence

from goprobe.arch.registers import signed
from goprobe.binary.dwarf.dieindex import FunctionEntry
from goprobe.binary.dwarf.expression import Piece, UnsupportedExpressionError, evaluate
from goprobe.binary.dwarf.info import Local
from goprobe.binary.pcln.format import Function
from goprobe.runtime.image.program import GoProgram

ASSEMBLY = "it is written in assembly: its returns are not watched, its arguments not told"
_STRIPPED = "the program is stripped: nothing says what its functions take and give"


def is_assembly(function: Function) -> bool:
    return function.file.endswith(".s")


def described(program: GoProgram, function: Function) -> FunctionEntry | str:
    """What the debug information has of a function, or why it has nothing."""
    if program.stripped:
        return _STRIPPED
    if is_assembly(function):
        return ASSEMBLY
    entry = program.debug.function_at(function.entry)
    return entry or "the debug information does not describe it"


class _Names(dict[str, int]):
    """Registers of which only the names are asked for."""

    def __missing__(self, name: str) -> int:
        return 0


def at_entry(local: Local, entry: FunctionEntry) -> Sequence[Piece]:
    """Where a variable is as its function is entered, by offsets from the CFA; none: not known."""
    held = next((e for e in local.locations if e.low <= entry.low < e.high), None)
    try:
        if held is not None:
            return evaluate(held.expression, cfa=0, frame_base=0, registers=_Names(), bias=0)
    except (UnsupportedExpressionError, KeyError):
        pass
    return ()


def is_address(local: Local, entry: FunctionEntry) -> bool:
    """Whether "&x" is passed: one that the function makes itself, as x moves to the heap, is in no
    register and not in the caller's frame as it is entered."""
    pieces = at_entry(local, entry) if local.name.startswith("&") else ()
    return bool(pieces) and all(p.register or signed(p.address or 0) >= 0 for p in pieces)


def once(parameters: Sequence[Local]) -> list[Local]:
    """A parameter or result that was moved to the heap is described as it travels, and as "&x";
    the optimiser may describe a result twice (Go 1.21 to 1.25)."""
    best: dict[tuple[str, int], Local] = {}
    for number, local in enumerate(parameters):
        plain = local.name.lstrip("&")
        key = (plain, number if plain in ("", "_") else -1)
        if key not in best or best[key].name.startswith("&"):
            best[key] = local
    return list(best.values())
