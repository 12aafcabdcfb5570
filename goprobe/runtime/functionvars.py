"""What is known of a function's variables before any process runs: frame slots, assignment."""

from __future__ import annotations

import re
from bisect import bisect_right
from functools import cached_property

import msgspec
from iced_x86 import Decoder, InstructionInfoFactory, Register

from goprobe.binary.assigned import AssignedSlots, Slot
from goprobe.binary.controlflow import CODE_LIMIT, returns_of
from goprobe.binary.dwarf import DebugInfo, Local
from goprobe.binary.dwarfindex import FunctionEntry
from goprobe.binary.elf import ElfFile
from goprobe.binary.expression import UnsupportedExpressionError, evaluate
from goprobe.binary.gotypes import GoType
from goprobe.binary.lines import LineRows
from goprobe.binary.pclntab import LineTable
from goprobe.runtime.values import scalar_ranges

_ALWAYS = 1 << 64
_IN_VECTOR = re.compile(rb"[\x61-\x6f]|\x90[\x11-\x20]")  # DW_OP_reg17..31, DW_OP_regx 17..32


class StaticParts(msgspec.Struct, frozen=True):
    """The parts of a program that its functions are read from."""

    elf: ElfFile
    debug: DebugInfo
    lines: LineTable
    rows: LineRows


class FunctionVariables:
    """Everything about one function's variables that does not depend on a stop. Link-time."""

    def __init__(self, parts: StaticParts, function: FunctionEntry) -> None:
        self._parts = parts
        self.function = function

    @cached_property
    def _line_runs(self) -> tuple[list[int], list[int]]:
        unit = self._parts.debug.unit_at(self.function.offset)
        low, high = self.function.low, self.function.high
        rows = [r for r in self._parts.rows.rows(unit) if low <= r.address < high]
        return [r.address for r in rows], [r.line for r in rows]

    def _line(self, pc: int) -> int:
        starts, lines = self._line_runs
        at = bisect_right(starts, pc)
        return lines[at - 1] if at else 0

    @cached_property
    def slots(self) -> tuple[Slot, ...]:
        """The frame slots of variables that lie at one place all through the function."""
        found = []
        types = self._parts.debug.types
        for local in self._parts.debug.locals(self.function):
            offset = frame_offset(local)
            size = types.at(local.type).size
            if offset is not None and size:
                found.append(Slot(offset, size, local.line))
        return tuple(found)

    @cached_property
    def assigned(self) -> AssignedSlots:
        return self._assigned(values=False)

    @cached_property
    def _given_values(self) -> AssignedSlots:
        return self._assigned(values=True)

    def _assigned(self, *, values: bool) -> AssignedSlots:
        low, high = self.function.low, self.function.high
        code = self._parts.elf.read(low, high - low)
        table = self._parts.lines
        entry = table.function_at(low)
        runs = table.runs(entry.pcsp) if entry else None

        def depth(pc: int) -> int:
            return (runs.value(pc - low) if runs else 0) + 8

        returns = returns_of(table)
        return AssignedSlots(code, low, self.slots, depth, self._line, returns, values=values)

    @cached_property
    def works_on_floats(self) -> bool:
        """Whether the function's state may be in vector registers: XMM15 is always zero."""
        low, high = self.function.low, self.function.high
        code = self._parts.elf.read(low, min(high - low, CODE_LIMIT))
        info, vectors = InstructionInfoFactory(), range(Register.XMM0, Register.XMM15)
        instructions = iter(Decoder(64, code, ip=low))
        if any(r.register in vectors for i in instructions for r in info.info(i).used_registers()):
            return True
        passed = self._parts.debug.parameters(self.function)
        return any(_IN_VECTOR.search(e.expression) for p in passed for e in p.locations)

    def is_assigned(self, local: Local, kind: GoType, pc: int) -> bool:
        """Whether an unoptimised local holds its value at a link-time pc."""
        start = frame_offset(local)
        if not kind.size:  # nothing is ever written
            return local.parameter or local.closure_offset >= 0 or self._line(pc) > local.line
        if start is None:
            return True
        passed = local.parameter and not local.result and start >= 0
        if passed and not self.assigned.writes(start, kind.size):
            return True  # passed on the stack: the caller wrote it
        ranges = list(scalar_ranges(self._parts.debug.types, kind))
        # In the midst of its own statement (`x := f()`) it may be zeroed, or have its room on the
        # heap, but has no value yet.
        midst = not local.parameter and self._line(pc) == local.line
        if midst and local.name.startswith("&"):
            return False
        assigned = self._given_values if midst else self.assigned
        return all(assigned.covers(pc, start + at, size) for at, size in ranges)


def frame_offset(local: Local) -> int | None:
    """The CFA offset of a variable that lies at one frame place all through its function."""
    if len(local.locations) != 1 or local.locations[0].high < _ALWAYS:
        return None
    try:
        pieces = evaluate(local.locations[0].expression, cfa=0, frame_base=0, registers={}, bias=0)
    except UnsupportedExpressionError:
        return None
    if len(pieces) != 1 or pieces[0].address is None:
        return None
    return (pieces[0].address + (1 << 63)) % (1 << 64) - (1 << 63)
