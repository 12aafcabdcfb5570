"""The variables of one frame: which are in scope, in what state, and where they lie.

Source of the conventions: src/cmd/compile/internal/dwarfgen and ssa/debug.go (Go 1.21 to 1.27): a
variable moved to the heap is named "&x" and is a pointer; an unoptimised local is at a frame
offset from entry on; an optimised one has a location list, or nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence

from msgspec.structs import replace

from goprobe.arch.frames import RETURN_ADDRESS
from goprobe.binary.dwarf.dieindex import FunctionEntry
from goprobe.binary.dwarf.expression import Piece, UnsupportedExpressionError, evaluate
from goprobe.binary.dwarf.gotypes import GoKind, GoType
from goprobe.binary.dwarf.info import Local
from goprobe.errors import UnreadableError
from goprobe.model.value import State
from goprobe.process.memory.memory import Memory
from goprobe.runtime.image.program import GoProgram
from goprobe.runtime.stacks.alike import Alike
from goprobe.runtime.stacks.bindings import (
    Binding,
    as_declared,
    in_force_first,
    is_later,
    one_of_each,
    without_hidden_captures,
)
from goprobe.runtime.stacks.frames import FrameView
from goprobe.runtime.stacks.keeping import Keeping
from goprobe.runtime.stacks.typeargs import DICTIONARY, TypeArguments
from goprobe.runtime.values.assembled import assembled, bytes_of, contiguous, shown
from goprobe.runtime.values.functionvars import FunctionVariables
from goprobe.runtime.values.localplaces import frame_offset, in_its_own_statement, named_elsewhere
from goprobe.runtime.values.pieces import (
    PlacedPiece,
    is_one_word_of_more,
    is_taken_apart,
    leaves,
    placed,
)
from goprobe.runtime.values.storage import InMemory, Keeper

_WORD = 8
_NO_ORDER = "its function's lines are of several files (//line): it may have a value yet, or not"
_RECOVERED = "its function may have come here by a recovered panic, before it had a value"
# What the compiler adds is named as no Go source can name it: ~r0, .dict, .autotmp_7, #yield1,
# and msg.ptr and msg.len for the parts of a variable that it took apart.
_OF_THE_SOURCE = re.compile(r"&?\w+")


class FrameVariables:
    """Finds the variables of frames at one stop. `described` is the debug information's
    description of the type whose descriptor is at an address."""

    def __init__(
        self,
        program: GoProgram,
        memory: Memory,
        bias: int,
        described: Callable[[int], GoType | None],
        keeping: Keeping | None = None,
        alike: Alike | None = None,
    ) -> None:
        """`keeping` is the goroutine's whose frames these are; `alike` is what is known of others
        of the moment."""
        self._program = program
        self._memory = memory
        self._bias = bias
        self._keeping = keeping
        self._alike = alike
        self._arguments = TypeArguments(program.elf, program.debug.types, memory, bias, described)

    def of(self, frame: FrameView, registers: Mapping[str, int]) -> Iterator[Binding]:
        """The variables in scope of a frame. `registers` are those known in it (only the
        innermost frame's are: Go saves none across a call)."""
        if self._alike is None or registers or frame.innermost:
            return iter(self._bindings(frame, registers)[0])
        keeper = self._keeper(frame)
        return self._alike.of(frame, lambda f: self._bindings(f, {}), self._memory, keeper)

    def _bindings(
        self, frame: FrameView, registers: Mapping[str, int]
    ) -> tuple[list[Binding], bool]:
        """Those of a frame, and whether what memory holds had no part in which those are."""
        debug = self._program.debug
        pc = frame.lookup - self._bias
        function = debug.function_at(pc)
        if function is None:
            return [], True
        scopes = tuple(reversed(debug.scopes(function, pc)))
        if frame.depth >= len(scopes):
            return [], True
        about = self._program.function_variables(function)
        everything = tuple(_with_line(v, frame) for v in scopes[frame.depth].locals)
        named: Sequence[Local] = self._of_the_source(everything)
        if not frame.depth:
            named = [v for v in named if not about.is_of_inlined_call(v)]
        plain = all(v.dictionary_index < 0 for v in named)
        named = self._with_types(about, named, everything, frame, registers)
        bound = [
            self._bind(about, local, frame, registers, everything) for local in as_declared(named)
        ]
        declared = {(binding.name, binding.local.line) for binding in bound}
        sure = plain and len(declared) == len(bound)
        bound = list(without_hidden_captures(one_of_each(bound)))
        return in_force_first(bound, frame.line), sure

    def _of_the_source(self, locals_: tuple[Local, ...]) -> list[Local]:
        """Without what the compiler adds; a field that it took out of a struct, `t.C`, it names
        "tC" as the source could (SplitStruct, cmd/compile, ssa/func.go, Go 1.21 to 1.27)."""
        types = self._program.debug.types
        parts = {
            (v.name + member.name, v.line, member.type)
            for v in locals_
            for member in types.at(v.type).members
            if types.at(v.type).kind == GoKind.STRUCT
        }
        return [
            v
            for v in locals_
            if _OF_THE_SOURCE.fullmatch(v.name) and (v.name, v.line, v.type) not in parts
        ]

    def parameters(
        self, function: FunctionEntry, registers: Mapping[str, int], cfa: int
    ) -> Iterator[Binding]:
        """The parameters of a function that is about to be entered, results left out."""
        about = self._program.function_variables(function)
        pc = function.low + self._bias
        frame = FrameView(
            pc=pc,
            lookup=pc,
            sp=cfa - RETURN_ADDRESS,
            cfa=cfa,
            function=function.name,
            file="",
            line=0,
            inlined=False,
            depth=0,
            innermost=True,
        )
        passed = self._program.debug.parameters(function)
        for local in self._with_types(about, passed, passed, frame, registers):
            if local.name and not local.result:
                yield self._bind(about, local, frame, registers)

    def _with_types(
        self,
        about: FunctionVariables,
        locals_: Sequence[Local],
        everything: Sequence[Local],
        frame: FrameView,
        registers: Mapping[str, int],
    ) -> Sequence[Local]:
        """Variables of generic code with their true types, where its dictionary is at hand."""
        if all(v.dictionary_index < 0 for v in locals_):
            return locals_
        for local in everything:
            if local.name == DICTIONARY:
                bound = self._bind(about, local, frame, registers)
                try:
                    raw = bound.place.read(0, _WORD) if bound.place else b""
                except UnreadableError:
                    continue
                if raw:
                    return self._arguments.resolved(locals_, int.from_bytes(raw, "little"))
        return locals_

    def _bind(
        self,
        about: FunctionVariables,
        local: Local,
        frame: FrameView,
        registers: Mapping[str, int],
        others: Sequence[Local] = (),
    ) -> Binding:
        go_type = self._program.debug.types.at(local.type)
        pc = frame.lookup - self._bias
        # A caller's frame stands behind its call: what is there now is what held at the call.
        entry = next((e for e in local.locations if e.low <= pc < e.high), None)
        if entry is None:
            return self._absent(about, local, go_type, frame)
        try:
            pieces = evaluate(
                entry.expression,
                cfa=frame.cfa,
                frame_base=frame.cfa,
                registers=registers,
                bias=self._bias,
            )
        except UnsupportedExpressionError as error:
            return self._unplaced(local, go_type, State.OPTIMIZED_OUT, f"{error}")
        fixed = frame_offset(local) is not None
        plain = about.has_plain_lines
        line, underway = (frame.line, _underway(local)) if plain else (local.line, _NO_ORDER)
        if is_later(local, line):
            return self._not_yet(local, go_type, frame)
        if fixed and not about.is_assigned(local, go_type, pc, line):
            if about.may_be_assigned(local, go_type, pc, line):
                return self._unplaced(local, go_type, State.UNREADABLE, _RECOVERED)
            if not plain or about.is_underway(local, go_type, pc, line):
                return self._unplaced(local, go_type, State.UNREADABLE, underway)
            return self._not_yet(local, go_type, frame)
        if not fixed and in_its_own_statement(local, line):
            return self._unplaced(local, go_type, State.UNREADABLE, underway)
        return self._placed(about, local, go_type, frame, pieces, registers, others)

    def _unplaced(self, local: Local, go_type: GoType, state: State, why: str) -> Binding:
        """As the source has it: what was moved to the heap is described by its pointer, "&x"."""
        moved = local.name.startswith("&")
        if moved:
            go_type = self._program.debug.types.at(go_type.elem)
        name = local.name.lstrip("&")
        return Binding(local=local, name=name, type=go_type, state=state, why=why, moved=moved)

    def _not_yet(self, local: Local, go_type: GoType, frame: FrameView) -> Binding:
        where = f"declared at line {local.line}, which has not run yet (the frame is at line "
        where += f"{frame.line})"
        if local.parameter:
            where = "the function's prologue has not stored it yet"
        elif local.line == frame.line:
            where = f"declared at line {local.line}, which has not given it a value yet"
        return self._unplaced(local, go_type, State.NOT_YET, where)

    def _absent(
        self, about: FunctionVariables, local: Local, go_type: GoType, frame: FrameView
    ) -> Binding:
        if not local.locations:
            why = "the optimiser keeps it nowhere: no place in memory, no register"
            if not self._program.debug.is_optimised(about.function):
                why = "the compiler gave no place for it in the debug information"  # seen of 1.21
            return self._unplaced(local, go_type, State.OPTIMIZED_OUT, why)
        pc = frame.lookup - self._bias
        further_on = all(e.low > pc for e in local.locations)
        if further_on and not about.has_plain_lines:
            return self._unplaced(local, go_type, State.UNREADABLE, _NO_ORDER)
        if further_on and in_its_own_statement(local, frame.line):
            return self._unplaced(local, go_type, State.UNREADABLE, _underway(local))
        if further_on and local.line > frame.line and not local.parameter:
            why = f"declared at line {local.line}; it has a place only further on in the code"
            return self._unplaced(local, go_type, State.NOT_YET, why)
        why = "the optimiser keeps it only in other parts of the function, not at this pc"
        return self._unplaced(local, go_type, State.OPTIMIZED_OUT, why)

    def _placed(
        self,
        about: FunctionVariables,
        local: Local,
        go_type: GoType,
        frame: FrameView,
        pieces: tuple[Piece, ...],
        registers: Mapping[str, int],
        others: Sequence[Local],
    ) -> Binding:
        name = local.name
        binding = self._parts(about, local, go_type, frame, pieces, others)
        if not binding:
            why = "its debug information does not tell which of its words it describes"
            if not pieces:
                why = "its debug information names no place"
            return self._unplaced(local, go_type, State.OPTIMIZED_OUT, why)
        names = [p.piece.register for p in binding if p.piece.register]
        lost = [r for r in names if r not in registers]
        if lost and len(lost) == len(binding):
            why = f"it was in register {lost[0]}, which calls do not preserve"
            return self._unplaced(local, go_type, State.OPTIMIZED_OUT, why)
        if name.startswith("&"):
            return self._moved(local, go_type, frame, pieces, registers)
        if is_one_word_of_more(self._program.debug.types, go_type, local.locations):
            why = "its debug information tells only one of its words, not which"
            return self._unplaced(local, go_type, State.OPTIMIZED_OUT, why)
        keeper, base = self._keeper(frame), contiguous(binding)
        if base is not None and binding[0].piece.size in (0, go_type.size):  # however large
            home = InMemory(self._memory, base, keeper)
            return Binding(
                local=local, name=name, type=go_type, state=State.LIVE, why="", place=home
            )
        place = assembled(
            self._program.debug.types, self._memory, go_type, binding, registers, keeper
        )
        if all(p.piece.constant is not None for p in binding):
            return Binding(
                local=local,
                name=name,
                type=go_type,
                state=State.CONSTANT,
                why="the optimiser made it a constant of the code",
                place=place,
            )
        if base is not None and not place.missing:
            return Binding(
                local=local,
                name=name,
                type=go_type,
                state=State.LIVE,
                why="",
                place=InMemory(self._memory, base, keeper),
            )
        if not any(p.piece.register in registers or p.piece.address is not None for p in binding):
            why = "the optimiser kept none of it"
            return self._unplaced(local, go_type, State.OPTIMIZED_OUT, why)
        spread = ", ".join(shown(p.piece) for p in binding)
        why = f"it lies in register{'s' if len(names) > 1 else ''}: {spread}"
        if not names:  # at no one address: not live, the contract has no nearer word for it
            why = f"the optimiser keeps its words apart: {spread}"
        return Binding(
            local=local,
            name=name,
            type=go_type,
            state=State.REGISTER,
            why=why,
            place=place,
            register=" ".join(names),
            partly=len(names) < len(binding),
            spread=spread,
        )

    def _parts(
        self,
        about: FunctionVariables,
        local: Local,
        go_type: GoType,
        frame: FrameView,
        pieces: tuple[Piece, ...],
        others: Sequence[Local],
    ) -> tuple[PlacedPiece, ...]:
        """The pieces with their places in the variable, as far as these are sure."""
        types = self._program.debug.types
        if len(pieces) == 1 and pieces[0].size in (0, go_type.size):
            passed = None if frame.depth else about.passed_in_memory(local)
            at, words = pieces[0].address, tuple(leaves(types, go_type))
            if at is None or len(words) < 2 or not is_taken_apart(types, go_type):
                return (PlacedPiece(0, pieces[0]),)
            if passed is None:
                lone = not pieces[0].size and at >= frame.cfa and about.is_by_words(local)
                return () if lone else (PlacedPiece(0, pieces[0]),)
            # Where only one of its words has a name, that word's place is given as the whole's.
            return tuple(
                PlacedPiece(w.offset, replace(pieces[0], size=w.size if w.offset else go_type.size))
                for w in words
                if frame.cfa + passed.offset + w.offset == at
            )
        if sum(p.size for p in pieces) > go_type.size:
            # Go 1.21 describes each word of a spilled interface parameter twice.
            pieces = tuple(dict.fromkeys(pieces))
        words = tuple(leaves(types, go_type))
        return placed(words, pieces, named_elsewhere(local, words, others))

    def _moved(
        self,
        local: Local,
        go_type: GoType,
        frame: FrameView,
        pieces: tuple[Piece, ...],
        registers: Mapping[str, int],
    ) -> Binding:
        raw = bytes_of(self._memory, pieces[0], _WORD, registers)
        target = self._program.debug.types.at(go_type.elem)
        name = local.name[1:]
        pointer = int.from_bytes((raw or b"")[:8], "little")
        if not pointer:
            return Binding(
                local=local,
                name=name,
                type=target,
                state=State.NOT_YET,
                why="the compiler moved it to the heap; it is not allocated yet",
                moved=True,
            )
        made = Binding(
            local=local,
            name=name,
            type=target,
            state=State.LIVE,
            why="",
            place=InMemory(self._memory, pointer),
            moved=True,
        )
        keeper, home = self._keeper(frame), pieces[0].address
        if keeper and home is not None and (lost := keeper.lost(home, pointer)):
            why = f"the frame has an old address of it: {lost}"
            return replace(made, state=State.UNREADABLE, why=why, place=None)
        return made

    def _keeper(self, frame: FrameView) -> Keeper | None:
        return self._keeping.of(frame) if self._keeping else None


def _with_line(local: Local, frame: FrameView) -> Local:
    """The parameters of inlined calls are described without a line: it is the declaration's."""
    return local if local.line or not local.parameter else replace(local, line=frame.start_line)


def _underway(local: Local) -> str:
    return f"declared at line {local.line}, which is running: it may have a value already, or not"
