"""What a closure captured, by the function whose code it runs.

Since Go 1.23 the debug information of the closure's body says where each captured variable lies in
the closure object (DW_AT_go_closure_offset, src/cmd/compile/internal/dwarfgen/dwarf.go). Under the
name "&x" it describes two things alike: a variable that is captured by reference, whose address
stands there, and one that is captured by value and whose address the body takes: there it stands
itself (src/cmd/compile/internal/ssagen/ssa.go, setHeapaddr, Go 1.23 to 1.27). The code tells them
apart; where it does not, the variable is left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from goprobe.arch.code import FieldUse
from goprobe.arch.registers import CLOSURE
from goprobe.binary.dwarf.dieindex import FunctionEntry
from goprobe.binary.dwarf.gotypes import GoKind, GoType
from goprobe.binary.dwarf.info import Local
from goprobe.runtime.image.program import GoProgram
from goprobe.runtime.stacks.frames import FrameView
from goprobe.runtime.values.decoded import Capture
from goprobe.runtime.values.functionvars import FunctionVariables

_WORD = 8
_METHOD_VALUE = "-fm"  # walkMethodValue, cmd/compile/internal/walk/closure.go, Go 1.21 to 1.27
_POINTER_RECEIVER = re.compile(r"(.*\.)\(\*([^()]+)\)")


def captures_of(program: GoProgram, code: int) -> tuple[Capture, ...]:
    """The captured variables of the closure whose code starts at a link-time address."""
    function = program.debug.function_at(code)
    if function is None or function.low != code:
        return ()
    if function.name.endswith(_METHOD_VALUE):
        return _receiver(program, function.name)
    captures: list[Capture] = []
    for local in program.debug.locals(function):
        if local.closure_offset > 0:
            captures += _captured(program, function, local)
    return tuple(sorted(captures, key=lambda c: c.offset))


def in_closure(
    about: FunctionVariables, local: Local, frame: FrameView, registers: Mapping[str, int], pc: int
) -> int:
    """Where a captured variable stands in the closure object that the innermost frame's function,
    at a link-time pc, was called with; 0 where that register has something else by now, or the
    code does not show what stands there."""
    if not frame.innermost or frame.depth or CLOSURE not in registers:
        return 0
    if not about.is_as_entered(CLOSURE, pc):
        return 0
    unknown = about.flow.field_use(local.closure_offset) is FieldUse.UNKNOWN
    if local.name.startswith("&") and unknown:
        return 0
    return registers[CLOSURE] + local.closure_offset


def _receiver(program: GoProgram, name: str) -> tuple[Capture, ...]:
    """What a method value was made of: "main.(*T).Run-fm" has a *main.T behind its code. Of generic
    types the name does not say which."""
    of, _, _ = name.removesuffix(_METHOD_VALUE).rpartition(".")
    pointer = _POINTER_RECEIVER.fullmatch(of)
    named = pointer[1] + pointer[2] if pointer else of
    offset = program.debug.index.types.get(named, 0)
    if not offset or "[" in of:
        return ()
    receiver = program.debug.types.at(offset)
    if pointer:  # which itself is not described where nothing is declared as it
        receiver = GoType(offset=0, name=f"*{named}", kind=GoKind.POINTER, size=_WORD, elem=offset)
    return (Capture("receiver", receiver, _WORD),)


def _captured(program: GoProgram, function: FunctionEntry, local: Local) -> Iterator[Capture]:
    types, offset = program.debug.types, local.closure_offset
    go_type = types.at(local.type)
    if local.name.startswith("&") and go_type.kind is GoKind.POINTER:
        use = program.function_variables(function).flow.field_use(offset)
        if use is FieldUse.ADDRESS:
            yield Capture(local.name.removeprefix("&"), types.at(go_type.elem), offset)
        if use is not FieldUse.WORD:
            return
    yield Capture(local.name, go_type, offset)
