"""What is known of a function's variables before any process runs: frame slots, assignment."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property

import msgspec

from goprobe.arch.abi import assign
from goprobe.arch.code import (
    CODE_LIMIT,
    ENTRY,
    AssignedSlots,
    CodeFlow,
    Defers,
    Definitions,
    FrameSlot,
    FrameWrites,
    Holder,
    VariableSlot,
    changes_of,
    mapped_of,
    returns_of,
)
from goprobe.arch.frames import RETURN_ADDRESS
from goprobe.arch.instructions import stored_range
from goprobe.binary.dwarf.abitypes import abi_type
from goprobe.binary.dwarf.dieindex import FunctionEntry
from goprobe.binary.dwarf.gotypes import GoType
from goprobe.binary.dwarf.info import DebugInfo, Local
from goprobe.binary.dwarf.lines import LineRows
from goprobe.binary.elf.elf import ElfFile
from goprobe.binary.pcln.format import PCDATA_INL_TREE_INDEX, Function, SourceFrame
from goprobe.binary.pcln.inlining import inlined_lines
from goprobe.binary.pcln.pcvalue import NO_RUNS
from goprobe.binary.pcln.table import LineTable
from goprobe.runtime.values.keptwords import KeptWords
from goprobe.runtime.values.localplaces import frame_offset, in_its_own_statement
from goprobe.runtime.values.scalars import scalar_ranges

_WORD = 8


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
        self._stacks: dict[int, list[SourceFrame]] = {}

    @cached_property
    def _line_runs(self) -> tuple[list[int], list[int]]:
        unit = self._parts.debug.unit_at(self.function.offset)
        low, high = self.function.low, self.function.high
        rows = [r for r in self._parts.rows.rows(unit) if low <= r.address < high]
        return [r.address for r in rows], [r.line for r in rows]

    def _line(self, pc: int) -> int:
        """The function's own line, for code of a call that was inlined that of the call."""
        stack = self._stack(pc)
        if len(stack) > 1:
            return stack[0].line
        starts, lines = self._line_runs
        at = bisect_right(starts, pc)
        return lines[at - 1] if at else 0

    @cached_property
    def slots(self) -> tuple[VariableSlot, ...]:
        """The frame slots of variables that lie at one place all through the function."""
        slots = []
        types = self._parts.debug.types
        for local in self._parts.debug.locals(self.function):
            offset = frame_offset(local)
            size = types.at(local.type).size
            if offset is not None and size:
                slots.append(VariableSlot(offset, size, local.line))
        return tuple(slots)

    @cached_property
    def assigned(self) -> AssignedSlots:
        return self._assigned(self._defers, values=False)

    @cached_property
    def _given_values(self) -> AssignedSlots:
        return self._assigned(self._defers, values=True)

    @cached_property
    def _unless_recovered(self) -> AssignedSlots:
        return self._assigned(Defers(0, self._parts.lines.function_name_at), values=False)

    def _assigned(self, defers: Defers, *, values: bool) -> AssignedSlots:
        returns = returns_of(self._parts.lines.function_name_at)
        return AssignedSlots(
            self._code,
            self.function.low,
            self.slots,
            self._depth,
            self._line,
            returns,
            defers,
            values=values,
        )

    @cached_property
    def flow(self) -> CodeFlow:
        names = self._parts.lines.function_name_at
        returns, changes = returns_of(names), changes_of(names)
        return CodeFlow(self._code, self.function.low, self._depth, returns, changes, self._defers)

    @cached_property
    def _defers(self) -> Defers:
        compiled = self._compiled
        offset = compiled.deferreturn if compiled is not None else 0
        after = self.function.low + offset if offset else 0
        return Defers(after, self._parts.lines.function_name_at)

    @cached_property
    def definitions(self) -> Definitions:
        return Definitions(self.flow)

    @cached_property
    def writes(self) -> FrameWrites:
        return FrameWrites(self.flow, self._fills)

    @cached_property
    def kept(self) -> KeptWords:
        counts = mapped_of(self._parts.lines.function_name_at)
        return KeptWords(self._compiled, self.writes, self._depth, counts)

    @cached_property
    def _compiled(self) -> Function | None:
        return self._parts.lines.function_at(self.function.low)

    @property
    def goes_on(self) -> bool:
        """Whether it goes on anywhere after a fault: at its deferred calls."""
        return self._compiled is not None and bool(self._compiled.deferreturn)

    def address_at(self, place: int, pc: int) -> int | None:
        """The place of the frame whose address the code surely put into a word of it."""
        made = self.definitions.of(FrameSlot(place, _WORD), pc) or ()
        places = {self.flow.taken_at(definition.pc) for definition in made}
        return places.pop() if len(places) == 1 else None

    def is_as_entered(self, holder: Holder, pc: int) -> bool:
        """Whether a register or a word of the frame holds what the function was entered with."""
        made = self.definitions.of(holder, pc)
        return bool(made) and all(definition.pc == ENTRY for definition in made or ())

    def _fills(self, target: int) -> tuple[int, int]:
        """The bytes that a call into duffzero or duffcopy writes: from where on, and how many."""
        function = self._parts.lines.function_at(target)
        if function is None or function.name not in ("runtime.duffzero", "runtime.duffcopy"):
            return 0, 0
        code = self._parts.elf.read(target, min(function.end - target, CODE_LIMIT))
        return stored_range(code, target)

    @cached_property
    def _code(self) -> bytes:
        return self._parts.elf.read(self.function.low, self.function.high - self.function.low)

    @cached_property
    def _depth(self) -> Callable[[int], int]:
        """The distance from the stack pointer up to the CFA at a pc."""
        low, table = self.function.low, self._parts.lines
        entry = table.function_at(low)
        runs = table.runs(entry.pcsp) if entry else NO_RUNS
        return lambda pc: max(runs.value(pc - low), 0) + RETURN_ADDRESS

    def line_in(self, pc: int, function: str, depth: int) -> int:
        """The line at which a function of the source stands while `pc` runs, where it is that
        many inlined calls inside this one; 0 where `pc` is no code of its."""
        stack = self._stack(pc)
        if len(stack) <= depth:
            return 0
        frame = stack[depth]
        return frame.line if not depth or frame.function == function else 0

    def lines_within(self, pc: int, here: int, depth: int, file: str) -> frozenset[int]:
        """The lines of a file at which functions of the source stand while `pc` runs: that of the
        call, `depth` inlined calls inside this one, in which `here` lies, and those inlined into
        it; none where `pc` is no code of that very call."""
        stack = self._stack(pc)
        if len(stack) <= depth or _calls(stack, depth) != _calls(self._stack(here), depth):
            return frozenset()
        return frozenset(frame.line for frame in stack[depth:] if frame.file == file)

    def is_inlined(self, pc: int, depth: int) -> bool:
        """Whether `pc` is code of a call that was inlined into what is itself that many inlined
        calls inside this function."""
        return len(self._stack(pc)) > depth + 1

    def is_call_of(self, pc: int, here: int, depth: int) -> bool:
        """Whether `pc` is code of the line that makes the call in which `here` lies, and none of
        what is called."""
        stack, inside = self._stack(pc), self._stack(here)
        both = min(len(stack), len(inside)) > depth
        if both and stack[depth].function == inside[depth].function:
            return False
        return _calls(stack, depth) == _calls(inside, depth)

    def _stack(self, pc: int) -> list[SourceFrame]:
        """The functions of the source at a pc, this one first."""
        if pc not in self._stacks:
            function = self._parts.lines.function_at(pc)
            self._stacks[pc] = (
                self._parts.lines.inline_stack(function, pc)[::-1] if function else []
            )
        return self._stacks[pc]

    @cached_property
    def has_plain_lines(self) -> bool:
        """Whether line numbers tell what comes before what: a generator's //line comments name
        other files, and lines of several files cannot be compared."""
        files = {file for file, _ in self._own_positions}
        return len(files) < 2 and all(f.endswith(".go") or f.startswith("<") for f in files)

    @cached_property
    def _own_lines(self) -> tuple[int, int]:
        """The first and the last line of the function's own code."""
        first = self._compiled.start_line if self._compiled is not None else 0
        return first, max((line for _, line in self._own_positions), default=first)

    @cached_property
    def _own_positions(self) -> frozenset[tuple[str, int]]:
        """The files and lines of the function's own code, without that of calls inlined into it.
        Go's own table says it; the debug information's rows are read a whole unit at a time."""
        table, function = self._parts.lines, self._compiled
        if function is None:
            return frozenset()
        runs = table.runs(function.pcfile), table.runs(function.pcln)
        starts = {function.entry + start for some in runs for start, _, _ in some}
        return frozenset(
            table.position(function, pc)
            for pc in starts
            if table.pcdata(function, PCDATA_INL_TREE_INDEX, pc) < 0
        )

    @cached_property
    def _of_inlined(self) -> frozenset[tuple[str, int]]:
        """Name and line of each variable of the calls inlined here: of parameters, which have no
        line of their own, that of any of these calls' declarations."""
        debug, table = self._parts.debug, self._parts.lines
        function = table.function_at(self.function.low)
        declared = set(inlined_lines(table, function)) if function else set()
        pairs = {
            pair for at in debug.inlined_into(self.function) for pair in debug.abstract_locals(at)
        }
        return frozenset(
            (name, at) for name, line in pairs for at in ((line,) if line else declared)
        )

    def is_of_inlined_call(self, local: Local) -> bool:
        """Whether a variable among the function's own is that of a call that was inlined into it:
        so the compiler describes those that it moved to the heap, for their addresses are made
        after inlining (cmd/compile, dwarfgen/dwarf.go, InlIndex, Go 1.21 to 1.27)."""
        if not local.name.startswith("&") or local.parameter or local.closure_offset >= 0:
            return False
        shape = "go.shape." in self._parts.debug.types.at(local.type).name
        if shape and "[" not in self.function.name:
            return True
        first, last = self._own_lines
        if not first <= local.line <= last:
            return True
        return (local.name[1:], local.line) in self._of_inlined

    @cached_property
    def parameters(self) -> tuple[Local, ...]:
        """Those that the debug information names, without results."""
        return tuple(p for p in self._parts.debug.parameters(self.function) if not p.result)

    @cached_property
    def arrivals(self) -> Mapping[str, tuple[Holder, ...]]:
        """Where each parameter arrives by Go's calling convention: registers, or a place in the
        caller's frame. Sure only where the debug information names all of them (blank ones it
        leaves out)."""
        types = self._parts.debug.types
        passed = self.parameters
        kinds = [types.at(p.type) for p in passed]
        signature = assign([abi_type(types, kind) for kind in kinds])
        arrivals: dict[str, tuple[Holder, ...]] = {}
        for local, kind, where in zip(passed, kinds, signature.parameters, strict=True):
            registers = tuple(piece.register for piece in where.pieces)
            arrivals[local.name] = registers or (FrameSlot(where.stack, kind.size),)
        return arrivals

    def passed_in_memory(self, local: Local) -> FrameSlot | None:
        """The place in the caller's frame where an optimised function's parameter arrives."""
        if not local.parameter or local.result or not self._is_optimised:
            return None
        where = self.arrivals.get(local.name, ())
        return where[0] if len(where) == 1 and isinstance(where[0], FrameSlot) else None

    def is_by_words(self, local: Local) -> bool:
        """Whether an optimised function's parameter has its places in a list, as what is taken
        apart into words has; what stays whole has one place, and a result no list but for its own
        frame (PutLocationList, cmd/compile, ssa/debug.go, Go 1.21 to 1.27)."""
        listed = not any(entry.always for entry in local.locations)
        return local.parameter and not local.result and listed and self._is_optimised

    @cached_property
    def _is_optimised(self) -> bool:
        return self._parts.debug.is_optimised(self.function)

    def _is_of_the_caller(self, local: Local, start: int, size: int) -> bool:
        """Whether the caller wrote a parameter into its own frame. Above the CFA there are, too,
        the places that parameters in registers are stored to: where the convention, which is not
        sure, says nothing, those are the ones that the function writes."""
        if not local.parameter or local.result or start < 0:
            return False
        by_convention = self.arrivals.get(local.name) == (FrameSlot(start, size),)
        return by_convention or not self.assigned.writes(start, size)

    def is_assigned(self, local: Local, go_type: GoType, pc: int, line: int) -> bool:
        """Whether an unoptimised local holds its value at a link-time pc, where the function that
        declares it stands at a line."""
        start = frame_offset(local)
        if not go_type.size:  # nothing is ever written
            return local.parameter or local.closure_offset >= 0 or line > local.line
        if start is None:
            return True
        if self._is_of_the_caller(local, start, go_type.size):
            return True
        ranges = list(scalar_ranges(self._parts.debug.types, go_type))
        midst = in_its_own_statement(local, line)
        if midst and local.name.startswith("&"):
            return False
        assigned = self._given_values if midst else self.assigned
        return all(assigned.covers(pc, start + at, size) for at, size in ranges)

    def is_underway(self, local: Local, go_type: GoType, pc: int, line: int) -> bool:
        """Of one that is not surely assigned: whether it may be, for the line that declares it is
        running. In the midst of its own statement (`x := f()`) it may be zeroed, or have its room
        on the heap; further on in the same line it has its value."""
        start = frame_offset(local)
        if start is None or not in_its_own_statement(local, line):
            return False
        ranges = scalar_ranges(self._parts.debug.types, go_type)
        return all(self.assigned.covers(pc, start + at, size) for at, size in ranges)

    def may_be_assigned(self, local: Local, go_type: GoType, pc: int, line: int) -> bool:
        """Of one that is not surely assigned: whether it is unless control came to `pc` by a
        recovered panic, which may have been before."""
        start = frame_offset(local)
        midst = in_its_own_statement(local, line)
        if start is None or midst or not (go_type.size and self._defers.deferreturn):
            return False
        otherwise = self._unless_recovered
        ranges = scalar_ranges(self._parts.debug.types, go_type)
        return not otherwise.reaches(pc) or all(
            otherwise.covers(pc, start + at, size) for at, size in ranges
        )


def _calls(stack: Sequence[SourceFrame], depth: int) -> list[tuple[str, int]]:
    """The outermost calls: which function stands at which line."""
    return [(frame.function, frame.line) for frame in stack[:depth]]
