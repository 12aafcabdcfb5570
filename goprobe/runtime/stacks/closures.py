"""What a closure captured, by the function whose code it runs.

Since Go 1.23 the debug information of the closure's body says where each captured variable lies in
the closure object (DW_AT_go_closure_offset, src/cmd/compile/internal/dwarfgen/dwarf.go).
"""

from __future__ import annotations

from goprobe.runtime.image.program import GoProgram
from goprobe.runtime.values.decoded import Capture


def captures_of(program: GoProgram, code: int) -> tuple[Capture, ...]:
    """The captured variables of the closure whose code starts at a link-time address."""
    function = program.debug.function_at(code)
    if function is None or function.low != code:
        return ()
    captures = []
    for local in program.debug.locals(function):
        if local.closure_offset > 0:
            go_type = program.debug.types.at(local.type)
            captures.append(Capture(local.name, go_type, local.closure_offset))
    return tuple(sorted(captures, key=lambda c: c.offset))
