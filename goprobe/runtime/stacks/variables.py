"""The variables of one frame: which are in scope, in what state, and where they lie.

Source of the conventions: src/cmd/compile/internal/dwarfgen and ssa/debug.go (Go 1.21 to 1.27): a
variable moved to the heap is named "&x" and is a pointer; an unoptimised local is at a frame
offset from entry on; an optimised one has a location list, or nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from msgspec.structs import replace

from goprobe.arch.code import FieldUse
from goprobe.arch.frames import RETURN_ADDRESS
from goprobe.binary.dwarf.dieindex import FunctionEntry
from goprobe.binary.dwarf.expression import Piece, UnsupportedExpressionError, evaluate
from goprobe.binary.dwarf.gotypes import GoType
from goprobe.binary.dwarf.info import Local
from goprobe.binary.elf.buildinfo import GoVersion
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
    not_yet,
    of_the_source,
    one_of_each,
    underway_at,
    unplaced,
    without_hidden_captures,
)
from goprobe.runtime.stacks.closures import in_closure
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

KEPT_NOWHERE = "the optimiser keeps it nowhere: no place in memory, no register"
NONE_KEPT = "the optimiser kept none of it"
_WORD = 8
_NO_ORDER = "its function's lines are of several files (//line): it may have a value yet, or not"
_TELLS_CAPTURES = GoVersion(1, 23)  # DW_AT_go_closure_offset, cmd/internal/dwarf/dwarf.go
_RECOVERED = "its function may have come here by a recovered panic, before it had a value"


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
        self._types = program.debug.types
        self._tells_captures = program.go >= _TELLS_CAPTURES
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
        named: Sequence[Local] = of_the_source(self._types, everything)
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
        bound = self._in_frame(about, local, frame, registers, others)
        if local.closure_offset <= 0 or bound.place is not None:
            return bound
        place = in_closure(about, local, frame, registers, frame.lookup - self._bias)
        return self._captured(about, local, frame, place) if place else bound

    def _captured(
        self, about: FunctionVariables, local: Local, frame: FrameView, place: int
    ) -> Binding:
        """What lies at a place in the closure object."""
        go_type, name = self._types.at(local.type), local.name
        if name.startswith("&"):
            if about.flow.field_use(local.closure_offset) is FieldUse.WORD:
                return self._moved(local, go_type, frame, (Piece(address=place),), {})
            go_type, name = self._types.at(go_type.elem), name[1:]
        home = InMemory(self._memory, place)
        made = Binding(local=local, name=name, type=go_type, state=State.LIVE, why="", place=home)
        return replace(made, captured=True)

    def _in_frame(
        self,
        about: FunctionVariables,
        local: Local,
        frame: FrameView,
        registers: Mapping[str, int],
        others: Sequence[Local],
    ) -> Binding:
        go_type = self._types.at(local.type)
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
            return unplaced(self._types, local, go_type, State.OPTIMIZED_OUT, f"{error}")
        fixed = frame_offset(local) is not None
        plain = about.has_plain_lines
        line, underway = (frame.line, underway_at(local.line)) if plain else (local.line, _NO_ORDER)
        if is_later(local, line):
            return not_yet(self._types, local, go_type, frame, captures=self._tells_captures)
        if fixed and not about.is_assigned(local, go_type, pc, line):
            if about.may_be_assigned(local, go_type, pc, line):
                return unplaced(self._types, local, go_type, State.UNREADABLE, _RECOVERED)
            if not plain or about.is_underway(local, go_type, pc, line):
                return unplaced(self._types, local, go_type, State.UNREADABLE, underway)
            return not_yet(self._types, local, go_type, frame, captures=self._tells_captures)
        if not fixed and in_its_own_statement(local, line):
            return unplaced(self._types, local, go_type, State.UNREADABLE, underway)
        return self._placed(about, local, go_type, frame, pieces, registers, others)

    def _absent(
        self, about: FunctionVariables, local: Local, go_type: GoType, frame: FrameView
    ) -> Binding:
        if not local.locations:
            why = KEPT_NOWHERE
            if not self._program.debug.is_optimised(about.function):
                why = "the compiler gave no place for it in the debug information"  # seen of 1.21
            return unplaced(self._types, local, go_type, State.OPTIMIZED_OUT, why)
        pc = frame.lookup - self._bias
        further_on = all(e.low > pc for e in local.locations)
        if further_on and not about.has_plain_lines:
            return unplaced(self._types, local, go_type, State.UNREADABLE, _NO_ORDER)
        if further_on and in_its_own_statement(local, frame.line):
            return unplaced(self._types, local, go_type, State.UNREADABLE, underway_at(local.line))
        own = not local.parameter and local.closure_offset < 0
        if further_on and local.line > frame.line and own:
            why = f"declared at line {local.line}; it has a place only further on in the code"
            return unplaced(self._types, local, go_type, State.NOT_YET, why)
        why = "the optimiser keeps it only in other parts of the function, not at this pc"
        return unplaced(self._types, local, go_type, State.OPTIMIZED_OUT, why)

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
            return unplaced(self._types, local, go_type, State.OPTIMIZED_OUT, why)
        names = [p.piece.register for p in binding if p.piece.register]
        lost = [r for r in names if r not in registers]
        if lost and len(lost) == len(binding):
            why = f"it was in register {lost[0]}, which calls do not preserve"
            return unplaced(self._types, local, go_type, State.OPTIMIZED_OUT, why)
        if name.startswith("&"):
            return self._moved(local, go_type, frame, pieces, registers)
        if is_one_word_of_more(self._types, go_type, local.locations):
            why = "its debug information tells only one of its words, not which"
            return unplaced(self._types, local, go_type, State.OPTIMIZED_OUT, why)
        keeper, base = self._keeper(frame), contiguous(binding)
        if base is not None and binding[0].piece.size in (0, go_type.size):  # however large
            home = InMemory(self._memory, base, keeper)
            return Binding(
                local=local, name=name, type=go_type, state=State.LIVE, why="", place=home
            )
        place = assembled(self._types, self._memory, go_type, binding, registers, keeper)
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
            return unplaced(self._types, local, go_type, State.OPTIMIZED_OUT, NONE_KEPT)
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
        types = self._types
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
        target = self._types.at(go_type.elem)
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
