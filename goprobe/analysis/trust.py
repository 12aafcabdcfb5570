"""Whether the value that debug information gives a variable of optimised code is its own.

The compiler describes where the value lies that a name was given last, in the order in which it
computes values; that order is not the source's. It computes the next value early (a loop's i+1),
leaves out an assignment that nothing reads, and describes the blocks of no inlined call. So the
source is asked which assignments may hold at the frame's line (`assignments`), the machine code
which instructions made what lies there (`reaching`), and the value is told only where each
assignment has its instruction and each instruction its assignment. A variable that is never given
another value needs no such proof. Where the source is not at hand nothing is doubted.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import msgspec

from goprobe.analysis.assignments import Assignments, Site, assignments, scope_of
from goprobe.analysis.gosyntax import Block, Literal, Statement, functions_of
from goprobe.binary.dwarf import Local
from goprobe.binary.expression import Piece, UnsupportedExpressionError, evaluate
from goprobe.binary.gotypes import GoKind
from goprobe.binary.reaching import Definition, Holder, Slot
from goprobe.runtime.frames import FrameView
from goprobe.runtime.functionvars import FunctionVariables
from goprobe.runtime.pieces import leaves
from goprobe.runtime.program import Program
from goprobe.runtime.variables import Binding

_RANGE_BODY = re.compile(r"-range\d+$")
_WORD = 8


class Doubt(msgspec.Struct, frozen=True):
    """Why a value is not told. `hidden`: the name means nothing at this line."""

    why: str
    hidden: bool = False


class Trust:
    """Judges the bindings of one program's frames; what it read and reckoned is kept."""

    def __init__(self, program: Program, bias: int) -> None:
        self._program = program
        self._bias = bias

    def doubt(self, binding: Binding, frame: FrameView) -> Doubt | None:
        """None where the value may be told."""
        debug = self._program.debug
        function = debug.function_at(frame.lookup - self._bias)
        if function is None or not debug.is_optimised(function):
            return None
        source = _source_of(frame, binding.local.line)
        if source is None:
            return None
        local, name = binding.local, binding.name
        scope = scope_of(source, name, local.line)
        if scope is None:
            # Captured: closures get the values of variables that do not change. Else it is one of
            # an inlined call's that the compiler left here (FunctionVariables.is_of_inlined_call).
            captured = local.closure_offset >= 0 or local.line == frame.start_line
            foreign = local.name.startswith("&") and not captured
            return Doubt("the source declares no such variable here", True) if foreign else None
        if frame.line > scope.last:
            return Doubt(f"it is in scope at lines {scope.first} to {scope.last} only", hidden=True)
        if binding.place is None:
            return None
        known = assignments(source, name, local.line, frame.line)
        about = self._program.function_variables(function)
        return self._judged(binding, frame, known, about)

    def _judged(
        self, binding: Binding, frame: FrameView, known: Assignments | None,
        about: FunctionVariables,
    ) -> Doubt | None:  # fmt: skip
        local = binding.local
        if known is None:
            return Doubt("the source does not show which of its assignments hold at this line")
        pending = self._pending(frame, about, {s.line for s in known.reaching} | {local.line})
        if pending:
            return Doubt(f"its assignment at line {pending} is not carried out to its end yet")
        if binding.moved or (len(known.reaching | known.others) < 2 and not known.shares):
            return None
        pieces = self._pieces(local, frame)
        kind = self._program.debug.types.at(local.type)
        words = len(tuple(leaves(self._program.debug.types, kind)))
        whole = kind.kind == GoKind.ARRAY or (words > 1 and len(pieces) == 1)
        holders = [h for p in pieces if (h := _holder(p, kind.size, whole=whole)) is not None]
        slots = [h for h in holders if isinstance(h, Slot)]
        addressed = slots == holders and all(map(about.definitions.is_addressed, slots))
        if whole or addressed:
            # It lives in memory, where the code assigns to it in the source's order.
            left_out = self._left_out(known, slots, frame, about, local)
            why = f"the optimiser left out its assignment at line {left_out}"
            return Doubt(why) if left_out else None
        if known.shared:
            return Doubt("its address is taken, or a closure assigns to it")
        if known.partial:
            return Doubt(f"a part of it is assigned to at line {_shown(known.partial)}")
        for holder in holders:
            made = about.definitions.of(holder, frame.pc - self._bias)
            if made is None or not self._agree(known, made, frame, about, local):
                return Doubt(
                    "the optimiser moved, joined or left out assignments to it: what lies in its "
                    f"place need not be what line {_shown(known.reaching)} gave it"
                )
        return None

    def _left_out(
        self, known: Assignments, slots: Sequence[Slot], frame: FrameView,
        about: FunctionVariables, local: Local,
    ) -> int:  # fmt: skip
        """A line that assigns to a variable in memory, but has no code that does."""
        lines = {
            about.line_in(pc, frame.function, frame.depth)
            for slot in slots for pc in about.definitions.touching(slot)
        }  # fmt: skip
        given = {site.line for site in known.reaching if site.line != local.line}
        return min(given - lines, default=0)

    def _pending(self, frame: FrameView, about: FunctionVariables, lines: set[int]) -> int:
        """A line before the frame's whose code goes on behind the pc."""
        if not frame.innermost:
            return 0  # a call: all that came before is done
        for pc in about.definitions.following(frame.pc - self._bias):
            line = about.line_in(pc, frame.function, frame.depth)
            if line in lines and line != frame.line:
                return line
        return 0

    def _pieces(self, local: Local, frame: FrameView) -> tuple[Piece, ...]:
        pc = frame.lookup - self._bias
        entry = next((e for e in local.locations if e.low <= pc < e.high), None)
        try:
            return () if entry is None else evaluate(
                entry.expression, cfa=0, frame_base=0, registers={}, bias=0
            )  # fmt: skip
        except UnsupportedExpressionError:
            return ()

    def _agree(
        self, known: Assignments, made: Iterable[Definition], frame: FrameView,
        about: FunctionVariables, local: Local,
    ) -> bool:  # fmt: skip
        """Whether assignments and instructions can be the same."""
        reaching = {site.line for site in known.reaching}
        foreign = {site.line for site in known.others} - reaching
        wanted = set(known.reaching)
        spare = set[int]()  # of those that may be any assignment's
        only_declared = reaching == {local.line} and not known.shares
        for definition in made:
            lines = {
                about.line_in(pc, frame.function, frame.depth)
                for pc in (*definition.copies, definition.pc) if pc >= 0
            }  # fmt: skip
            if lines & foreign:
                return False
            mine = sorted((s for s in wanted if s.line in lines), key=lambda s: s.part)
            if lines & reaching:
                wanted -= set(mine[:1])
            elif definition.pc < 0 and not self._arrives(definition, known, about, local):
                return False
            elif definition.constant or definition.pc < 0 or only_declared:
                spare.add(definition.pc)
            else:
                return False
        # One more than is wanted may be of an assignment that does not reach here.
        return len(spare) == len(wanted) or (0 < len(wanted) < len(spare) and not foreign)

    def _arrives(
        self, definition: Definition, known: Assignments, about: FunctionVariables, local: Local
    ) -> bool:
        """Whether what the function was entered with may be the variable's: of a parameter what
        was passed for it; of a copy of one only where nothing else is ever assigned to it."""
        if not local.parameter:
            return not known.others
        mine = about.arrivals.get(local.name.removeprefix("&"), ())
        if isinstance(definition.holder, str):
            return definition.holder in mine
        at = definition.holder.offset
        return any(isinstance(h, Slot) and h.offset <= at < h.offset + h.size for h in mine)


def _holder(piece: Piece, size: int, *, whole: bool) -> Holder | None:
    if piece.register:
        return piece.register
    if piece.address is None:
        return None
    signed = (piece.address + (1 << 63)) % (1 << 64) - (1 << 63)
    return Slot(signed, piece.size or (size if whole else min(size, _WORD)))


def _shown(sites: Iterable[Site]) -> str:
    return " or ".join(map(str, sorted({site.line for site in sites})))


def _source_of(frame: FrameView, line: int) -> Literal | None:
    """The frame's function in its source; None where that is not at hand, or leaves a doubt."""
    functions = functions_of(frame.file)
    if _RANGE_BODY.search(frame.function):
        return _loop_at(functions, frame.start_line, frame.line)
    found = [
        f for f in functions
        if f.line == frame.start_line and f.line <= frame.line <= f.body.last
        and f.line <= line <= f.body.last
    ]  # fmt: skip
    return found[0] if len(found) == 1 else None


def _loop_at(functions: Iterable[Literal], start: int, line: int) -> Literal | None:
    """The body of a loop over a function, as the function that the compiler makes of it."""
    for function in functions:
        for statement in _statements(function.body):
            here = statement.first == start and start <= line <= statement.last
            if here and statement.keyword == "for" and statement.blocks:
                return Literal(start, statement.header, statement.blocks[0])
    return None


def _statements(block: Block) -> Iterable[Statement]:
    for statement in block.statements:
        yield statement
        for inner in statement.blocks:
            yield from _statements(inner)
