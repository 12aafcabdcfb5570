"""Whether the value that debug information gives a variable of optimised code is its own.

The compiler describes where the value lies that a name was given last, in the order in which it
computes values; that order is not the source's. It computes the next value early (a loop's i+1),
leaves out an assignment that nothing reads, and describes the blocks of no inlined call. So the
source is asked which assignments may hold at the frame's line (`assignments`), the machine code
which instructions made what lies there (`reaching`), and the value is told only where each
assignment has its instruction and each instruction its assignment. A variable that is never given
another value needs no such proof. Where the source is not at hand little is told (`unsourced`).
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence

from msgspec.structs import replace

from goprobe.analysis.trace.assignments import Assignment, Assignments, assignments
from goprobe.analysis.trace.goscopes import names_outer, scope_of, statements_of
from goprobe.analysis.trace.gosyntax import Literal, functions_of
from goprobe.analysis.trace.gotokens import tokens_of
from goprobe.analysis.trace.machinewitness import (
    Doubt,
    Position,
    in_memory,
    in_words,
)
from goprobe.analysis.trace.results import returned_in
from goprobe.analysis.trace.toldplaces import shares_place
from goprobe.analysis.trace.unsourced import SEVERAL, unsourced
from goprobe.arch.code import LOST, FrameSlot, Holder
from goprobe.arch.registers import RESUMED_THROUGH, signed
from goprobe.binary.dwarf.dieindex import FunctionEntry
from goprobe.binary.dwarf.expression import Piece
from goprobe.binary.dwarf.gotypes import GoKind, GoType
from goprobe.binary.dwarf.info import Local
from goprobe.runtime.image.program import GoProgram
from goprobe.runtime.stacks.bindings import Binding
from goprobe.runtime.stacks.frames import FrameView
from goprobe.runtime.values.functionvars import FunctionVariables
from goprobe.runtime.values.localplaces import pieces_at
from goprobe.runtime.values.pieces import is_taken_apart, leaves

Judged = dict[tuple[Local, str, bool, bool, int, FrameView], Doubt | None]
"""By the variable, its name, whether it has no place, and was moved; where the goroutine was
resumed; and the frame, whatever its addresses."""

_CLOSURE = re.compile(r"\.func\d+")
_RANGE_BODY = re.compile(r"-range\d+$")
_NESTED = re.compile(r"\.func\d+|-range\d+")
_WORD = 8


class Trust:
    """Judges the bindings of the frames of one goroutine, which was last resumed at `resumed`
    (0: not known) and whose thread's registers these are. What it finds of callers' frames it
    keeps in `known`, for all goroutines of one program that stand alike."""

    def __init__(
        self,
        program: GoProgram,
        bias: int,
        registers: Mapping[str, int],
        resumed: int = 0,
        known: Judged | None = None,
    ) -> None:
        self._program = program
        self._bias = bias
        self._registers = registers
        self._resumed = resumed
        self._literals: dict[str, int] = {}
        self._known: Judged = {} if known is None else known

    def judged(
        self, bindings: Sequence[Binding], frame: FrameView
    ) -> Iterator[tuple[Binding, Doubt | None]]:
        """Each with what speaks against telling it; one of those among which a name chooses as
        only the source could show."""
        of_name: dict[str, list[Binding]] = {}
        for binding in bindings:
            of_name.setdefault(binding.name, []).append(binding)
        for binding in bindings:
            same = of_name[binding.name]
            if len(same) == 1 or not all(self._lacks_source(b, frame) for b in same):
                yield binding, self.doubt(binding, frame)
            elif binding is same[0]:
                yield self._one_of(same, frame)

    def _one_of(self, same: Sequence[Binding], frame: FrameView) -> tuple[Binding, Doubt | None]:
        """Where a function's body has not begun, a parameter is what its name means."""
        for binding in same:
            passed = binding.local.parameter and binding.place is not None
            if passed and self.doubt(binding, frame) is None:
                return binding, None
        return same[0], SEVERAL

    def is_optimised(self, frame: FrameView) -> bool:
        """Whether a frame's code was compiled with the optimiser on."""
        debug = self._program.debug
        function = debug.function_at(frame.lookup - self._bias)
        return function is not None and debug.is_optimised(function)

    def _lacks_source(self, binding: Binding, frame: FrameView) -> bool:
        return self.is_optimised(frame) and self._source_of(frame, binding.local.line) is None

    def doubt(self, binding: Binding, frame: FrameView) -> Doubt | None:
        """None where the value may be told."""
        if frame.innermost:  # of which the registers tell, too
            return self._doubt(binding, frame)
        where = replace(frame, sp=0, cfa=0)
        key = (
            binding.local,
            binding.name,
            binding.place is None,
            binding.moved,
            self._resumed,
            where,
        )
        if key not in self._known:
            self._known[key] = self._doubt(binding, frame)
        return self._known[key]

    def _doubt(self, binding: Binding, frame: FrameView) -> Doubt | None:
        debug = self._program.debug
        function = debug.function_at(frame.lookup - self._bias)
        # Without optimisation a variable has its place in the frame for itself, and keeps it.
        if function is None or not debug.is_optimised(function):
            return None
        source = self._source_of(frame, binding.local.line)
        if source is None:
            return self._unsourced(binding, frame, function)
        local, name = binding.local, binding.name
        scope = scope_of(source, name, local.line)
        if scope is not None and local.closure_offset >= 0:
            # Described under the line of its first use, which declares another of its name.
            if local.line < frame.line <= scope.last:
                return Doubt("the closure's own variable of that name hides it", hidden=True)
            return self._of_captured(binding, frame, self._program.function_variables(function))
        if scope is None:
            # Captured: closures get the values of variables that do not change. Else it is one of
            # an inlined call's that the compiler left here (FunctionVariables.is_of_inlined_call).
            closure = _CLOSURE.search(frame.function)
            captured = local.closure_offset >= 0 or (closure and local.line == frame.start_line)
            foreign = local.name.startswith("&") or not _is_named(frame.file, name, local.line)
            unknown = not _is_named(frame.file, name, source.line, source.body.last)
            if unknown or (foreign and not captured):
                return Doubt("the source declares no such variable here", hidden=True)
            return self._of_captured(binding, frame, self._program.function_variables(function))
        if frame.line > scope.last:
            return Doubt(f"it is in scope at lines {scope.first} to {scope.last} only", hidden=True)
        if binding.place is None:
            return None
        go_type = self._program.debug.types.at(local.type)
        kind = GoKind.INVALID if binding.moved else go_type.kind
        known = assignments(source, name, local.line, frame.line, kind)
        about = self._program.function_variables(function)
        return self._judged(binding, frame, known, about, source)

    def _of_captured(
        self, binding: Binding, frame: FrameView, about: FunctionVariables
    ) -> Doubt | None:
        """Of a variable that a closure has a copy of, which nothing changes."""
        go_type = self._program.debug.types.at(binding.local.type)
        apart = is_taken_apart(self._program.debug.types, go_type)
        if binding.place is None or binding.moved or binding.captured or not apart:
            return None
        site = Assignment(binding.local.line)
        known = Assignments(
            reaching=frozenset((site,)),
            others=frozenset(),
            partial=frozenset(),
            shared=False,
            shares=False,
        )
        holders = self._holders(binding.local, go_type, frame, whole=False)
        return in_words(binding.local, holders, known, self._position(frame, about))

    def _unsourced(
        self, binding: Binding, frame: FrameView, function: FunctionEntry
    ) -> Doubt | None:
        program, local = self._program, binding.local
        go_type = program.debug.types.at(local.type)
        whole = self._is_whole(local, go_type, frame)
        at = self._position(frame, program.function_variables(function))
        unit = program.debug.unit_at(function.offset)
        return unsourced(
            binding,
            self._holders(local, go_type, frame, whole=whole),
            at,
            body=program.rows.after_prologue(function.low, function.high, unit),
            nested=bool(_NESTED.search(function.name)),
            literals=self._first_literal(function.name),
        )

    def _first_literal(self, function: str) -> int:
        """The line at which the first function literal in a function begins, wrappers of its go
        and defer statements included; 0 where one begins at a line that is not known."""
        if function not in self._literals:
            debug = self._program.debug
            within = tuple(
                f"{function}{mark}" for mark in (".func", ".gowrap", ".deferwrap", "-range")
            )
            names = (n for n in (*debug.functions, *debug.index.abstract) if n.startswith(within))
            lines = (self._program.declaration(name)[1] for name in names)
            self._literals[function] = min(lines, default=sys.maxsize)
        return self._literals[function]

    def _is_whole(self, local: Local, go_type: GoType, frame: FrameView) -> bool:
        """Whether it lies at one place as its type has it, not word by word."""
        types = self._program.debug.types
        words = len(tuple(leaves(types, go_type)))
        return not is_taken_apart(types, go_type) or (
            words > 1 and len(self._pieces(local, frame)) == 1
        )

    def _position(self, frame: FrameView, about: FunctionVariables) -> Position:
        return Position(frame, frame.lookup - self._bias, about, self._began_again(frame, about))

    def _judged(
        self,
        binding: Binding,
        frame: FrameView,
        known: Assignments | None,
        about: FunctionVariables,
        source: Literal,
    ) -> Doubt | None:
        local = binding.local
        if known is None:
            return Doubt("the source does not show which of its assignments hold at this line")
        at = self._position(frame, about)
        given = {*known.lines, local.line}
        unfinished = at.unfinished(given, moved=binding.moved)
        if unfinished:
            return Doubt(f"code of its assignment at line {unfinished} is still to run")
        if binding.moved:
            return None
        go_type = self._program.debug.types.at(local.type)
        whole = self._is_whole(local, go_type, frame)
        holders = self._holders(local, go_type, frame, whole=whole)
        if self._may_be_captured(local, frame, about) and not at.made_at(holders, local.line):
            return Doubt("it may be the variable of that name which the closure captured")
        slots = [h for h in holders if isinstance(h, FrameSlot)]
        # A parameter that is not taken apart may arrive in registers; the debug information goes on
        # to tell of those of its words that were stored together with others.
        stored = slots == holders
        addressed = stored and all(s.offset in about.writes.addressed for s in slots)
        if (whole and stored) or ((known.shares or known.changed) and addressed):
            return in_memory(local, slots, known, at)
        returned = returned_in(self._program.debug, about.function, source, local)
        doubt = in_words(local, holders, known, at, returned)
        if doubt is None and returned is None:
            doubt = self._shared_result(local, holders, known, at, source)
        return doubt

    def _shared_result(
        self,
        local: Local,
        holders: Sequence[Holder],
        known: Assignments,
        at: Position,
        source: Literal,
    ) -> Doubt | None:
        """That another variable, to which the same call gave another of its results, has the same
        place here: one of the two is told by a name that its value got later (`z = y`)."""
        lines = known.lines & {line for holder in holders for line in at.returned_at(holder)}
        for other in self._program.debug.locals(at.about.function) if lines else ():
            if other.name == local.name or not shares_place(other, holders, at.pc):
                continue
            go_type = self._program.debug.types.at(other.type)
            theirs = assignments(source, other.name, other.line, at.frame.line, go_type.kind)
            if theirs and lines & theirs.lines:
                places = self._holders(other, go_type, at.frame, whole=False)
                if in_words(other, places, theirs, at) is None:
                    return Doubt(f"the debug information has {other.name} in the same place")
        return None

    def _began_again(self, frame: FrameView, about: FunctionVariables) -> bool:
        """Whether the frame's function may have begun twice, for its stack had to grow: what was
        passed in registers that it does not use is then lost.

        The runtime went on through RBX (gogo, asm_amd64.s, Go 1.21 to 1.27), which tells where
        nothing has changed it since. Else the goroutine's last switch does (morestack keeps the
        pc in g.sched) unless it was preempted since; one by a call is no matter, for no register
        outlives a call.
        """
        again = about.flow.resumed
        kept = about.flow.restored or frozenset()
        if frame.innermost and RESUMED_THROUGH in self._registers and RESUMED_THROUGH not in kept:
            made = about.definitions.of(RESUMED_THROUGH, frame.pc - self._bias)
            if made and all(definition.pc in (-1, LOST) for definition in made):
                return self._registers[RESUMED_THROUGH] - self._bias in again
        pc = self._resumed - self._bias
        if not self._resumed or pc in again:
            return True
        return self._program.function_name(pc).startswith("runtime.asyncPreempt")

    def _may_be_captured(self, local: Local, frame: FrameView, about: FunctionVariables) -> bool:
        """Whether a variable may be one that the closure captured, described under the line of
        its first use, at which the closure declares another of its name. Since Go 1.23 a captured
        one says what it is; where one does, all do."""
        if local.parameter or frame.depth or not _CLOSURE.search(frame.function):
            return False
        if any(v.closure_offset >= 0 for v in self._program.debug.locals(about.function)):
            return False
        source = self._source_of(frame, local.line)
        return source is not None and names_outer(source, local.name, local.line)

    def _source_of(self, frame: FrameView, line: int) -> Literal | None:
        return _source_of(frame, line) if self._program.source(frame.file) else None

    def _holders(
        self, local: Local, go_type: GoType, frame: FrameView, *, whole: bool
    ) -> list[Holder]:
        holders = (
            _holder(piece, go_type.size, whole=whole) for piece in self._pieces(local, frame)
        )
        return [holder for holder in holders if holder is not None]

    def _pieces(self, local: Local, frame: FrameView) -> tuple[Piece, ...]:
        pc = frame.lookup - self._bias
        return pieces_at(local, pc)


def _holder(piece: Piece, size: int, *, whole: bool) -> Holder | None:
    if piece.register:
        return piece.register
    if piece.address is None:
        return None
    return FrameSlot(signed(piece.address), piece.size or (size if whole else min(size, _WORD)))


def _is_named(file: str, name: str, line: int, last: int = 0) -> bool:
    """Whether a line of a file, or those up to the last, name it at all; what the compiler took
    out of another variable has a name of its making (SplitStruct, see
    runtime/stacks/variables.py)."""
    return any(line <= t.line <= max(line, last) and t.text == name for t in tokens_of(file))


def _source_of(frame: FrameView, line: int) -> Literal | None:
    """The frame's function in its source; None where that is not at hand, or leaves a doubt."""
    functions = functions_of(frame.file)
    if _RANGE_BODY.search(frame.function):
        return _loop_at(functions, frame.start_line, frame.line)
    literals = [
        f
        for f in functions
        if f.line == frame.start_line
        and f.line <= frame.line <= f.body.last
        and f.line <= line <= f.body.last
    ]
    return literals[0] if len(literals) == 1 else None


def _loop_at(functions: Iterable[Literal], start: int, line: int) -> Literal | None:
    """The body of a loop over a function, as the function that the compiler makes of it."""
    for function in functions:
        for statement in statements_of(function.body):
            here = statement.first == start and start <= line <= statement.last
            if here and statement.keyword == "for" and statement.blocks:
                return Literal(start, statement.header, statement.blocks[0])
    return None
