"""How the debug information describes what a call of a function takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from goprobe.arch.abi import Signature as AbiSignature
from goprobe.arch.registers import signed
from goprobe.binary.dwarf.dieindex import FunctionEntry
from goprobe.binary.dwarf.expression import Piece, UnsupportedExpressionError, evaluate
from goprobe.binary.dwarf.info import Local
from goprobe.binary.pcln.format import Function, without_type_arguments
from goprobe.runtime.image.program import GoProgram
from goprobe.runtime.stacks.typeargs import DICTIONARY
from goprobe.runtime.values.localplaces import frame_offset

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


def with_dictionary(
    passed: Sequence[Local], entry: FunctionEntry, types: Mapping[str, int]
) -> list[Local] | None:
    """What generic code is passed, with the dictionary that its types come from: the first one, or
    behind a method's receiver (cmd/compile/internal/noder/reader.go, shapeSig, Go 1.21 to 1.27).
    None where it is described, for what is not generic code, and where it is not known of each
    parameter where it is: such code's may be described in another order."""
    known = all(at_entry(p, entry) and p.name != DICTIONARY for p in passed)
    if "[go.shape." not in entry.name or not known:
        return None
    plain = without_type_arguments(entry.name).rpartition("/")[2]
    at = min(plain.count(".") - 1, 1)
    named = Local(
        name=DICTIONARY, type=types.get("uintptr", 0), line=0, parameter=True, result=False,
        locations=(), closure_offset=-1,
    )  # fmt: skip
    return [*passed[:at], named, *passed[at:]] if at >= 0 else None


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


_BLANK = (
    "the debug information does not describe all of its parameters (blank ones it leaves out): "
    "which register has which is not known"
)


def doubt_of(
    program: GoProgram, entry: FunctionEntry, passed: Sequence[Local], where: AbiSignature
) -> str:
    """Why it is not known where parameters arrive; "" where what the convention says takes as
    much room as the compiler reserved (_func.args: ArgWidth, cmd/compile/internal/abi, Go 1.21
    to 1.27), and is what the debug information has, for each of which
    it has anything at the entry."""
    function = program.lines.function_at(entry.low)
    if function is None or function.args_size != (where.end + 7) & ~7:
        return _BLANK
    for local, at in zip(passed, where.parameters, strict=True):
        if local.name.startswith("&") and not is_address(local, entry):
            continue
        fixed = frame_offset(local)
        if fixed is not None:
            if fixed != at.stack:
                return _BLANK
            continue
        registers = [p.register for p in at_entry(local, entry) if p.register]
        if at.pieces and registers and registers[0] != at.pieces[0].register:
            return _BLANK
    return ""
