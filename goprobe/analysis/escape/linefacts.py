"""What the machine code of a source line does about memory, besides calling the allocator.

A function's code is cut into runs that share their place in the source; each run belongs to the
line of the outermost call, which is where the compiler reports what it says of inlined bodies.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Collection, Container, Iterator, Mapping, Sequence
from pathlib import Path

from goprobe.analysis.escape.codeplaces import (
    MOST_STARTS,
    CodeStartTable,
    Copy,
    FunctionLines,
    LineFacts,
    StackWitness,
    Starts,
    Static,
    StaticKind,
)
from goprobe.analysis.escape.statementcode import statement_references
from goprobe.arch.codestarts import CodeStarts, Weight
from goprobe.arch.machinefacts import Constant, Reference, StackAddress
from goprobe.binary.elf.elf import SHF_EXECINSTR, SHF_WRITE, ElfFile, Section
from goprobe.binary.pcln.format import PCDATA_INL_TREE_INDEX, Function, SourceFrame
from goprobe.binary.pcln.table import LineTable

_OBJECT_LIMIT = 64


class CodeLines:
    """The facts of every line of the functions asked for, by (file, line).

    Once they are there, `table` knows where the code of a line begins in each copy of it, and the
    code of each function by its name, inlined ones too. That may be in several
    places, not all of which run when the line does. The optimiser moves instructions of a line to
    where the line is not reached: it begins where its code acts, if that does; else where the debug
    information says that a statement does (`statements`, sorted addresses), if anywhere. What only
    makes and moves values, in code that is `optimised`, proves nothing. (`entry`: of a machine
    function.) It has room as well where calls of the `allocators` return.
    """

    def __init__(
        self,
        elf: ElfFile,
        lines: LineTable,
        statements: Sequence[int] = (),
        optimised: Callable[[int], bool] = lambda entry: True,
        allocators: Container[int] = (),
    ) -> None:
        self._lines = lines
        self._optimised = optimised
        self._elf = elf
        self._kinds = _StaticKinds(elf)
        self._by_line: dict[tuple[str, int], dict[Copy, Starts]] = {}
        self._functions: dict[str, FunctionLines] = {}
        self._statements, self._begins = statements, frozenset(statements)
        self._weights: dict[int, Weight] = {}
        self._rooms: dict[int, int] = {}
        self._allocators = allocators

    def facts(self, functions: Collection[Function]) -> dict[tuple[str, int], list[LineFacts]]:
        by_line: dict[tuple[str, int], list[LineFacts]] = {}
        for function in functions:
            for place, facts in self._of(function).items():
                by_line.setdefault(place, []).append(facts)
        return by_line

    def _of(self, function: Function) -> dict[tuple[str, int], LineFacts]:
        on_lines: dict[tuple[str, int], LineFacts] = {}
        code = self._elf.read(function.entry, function.end - function.entry)
        runs = list(self.runs(function))
        wrapper = self._lines.is_wrapper(function.entry)
        taken = statement_references(code, function, self._lines, [high for _, high, _ in runs])
        starts = CodeStarts(code, function.entry)
        objects = _FrameObjects(taken, starts)
        optimised = self._optimised(function.entry)
        for back in starts.returns(self._allocators):
            self._note_room(back, starts)
        for low, high, frames in runs:
            beside = function.deferreturn and low == function.entry + function.deferreturn
            for start in () if beside else self._starts(starts, low, high, optimised):
                self._note_room(start, starts)
                self._note(function.entry, start, frames)
            outer = frames[-1]
            if not outer.line:
                continue
            facts = on_lines.setdefault(
                (outer.file, outer.line), LineFacts(function.name, function.entry, wrapper)
            )
            facts.inlined.update(f.function for f in frames[:-1])
        for reference, frames in _with_frames(taken, runs):
            line = on_lines.get((frames[-1].file, frames[-1].line))
            if line is not None:
                inlined = frames[-2].function if len(frames) > 1 else ""
                self._add(line, reference, objects, inlined)
        return on_lines

    @property
    def table(self) -> CodeStartTable:
        """What is known of where code begins, once the facts are there."""
        starts = frozenset(self._weights)
        return CodeStartTable(
            by_line=self._by_line,
            functions=self._functions,
            acting=frozenset(pc for pc in starts if self._weights[pc] is Weight.ACTS),
            begins=self._begins & starts,
            marked=bool(self._begins),
            rooms=self._rooms,
        )

    def _note_room(self, pc: int, code: CodeStarts) -> None:
        if room := code.covering.room(pc):
            self._rooms[pc] = room

    def _starts(self, code: CodeStarts, low: int, high: int, optimised: bool) -> list[int]:
        weight, starts = code.of(low, high)
        if weight is not Weight.ACTS:
            at = bisect_left(self._statements, low)
            marks = [pc for pc in self._statements[at : at + 1] if pc < high]
            starts = marks or starts
            if marks and not optimised:
                weight = Weight.ACTS  # there the marks are right
        for pc in starts:
            self._weights[pc] = weight
        return starts

    def _set(self, starts: dict[Copy, Starts], copy: Copy, pc: int) -> None:
        known = starts.get(copy, ())
        rank = self._rank(known[0]) if known else None
        if rank is None or self._rank(pc) > rank:
            starts[copy] = (pc,)
        elif self._rank(pc) == rank and rank[1] and len(known) < MOST_STARTS:
            starts[copy] = (*known, pc)

    def _rank(self, pc: int) -> tuple[Weight, bool]:
        """Of the stretches of one copy those that tell most; without a mark the first of them."""
        weight = self._weights[pc]
        return weight, weight is Weight.ACTS or pc in self._begins

    def _note(self, entry: int, start: int, frames: Sequence[SourceFrame]) -> None:
        way = 0
        for frame in reversed(frames):
            copy = entry, way
            if frame.line:
                self._set(self._by_line.setdefault((frame.file, frame.line), {}), copy, start)
                known = self._functions.get(frame.function)
                if known is None:
                    known = self._functions[frame.function] = FunctionLines(
                        frame.file, frame.line, frame.line
                    )
                self._set(known.starts, copy, start)
                if known.file == frame.file:
                    known.first = min(known.first, frame.line)
                    known.last = max(known.last, frame.line)
            way = hash((way, frame.function, frame.line))

    def runs(self, function: Function) -> Iterator[tuple[int, int, tuple[SourceFrame, ...]]]:
        """[low, high) of the code that shares one place in the source, with its frames. That with
        which a function goes on that has recovered a panic is by itself: it has the place of the
        code before it, which need not have run (genssa, cmd/compile/internal/ssagen/ssa.go, Go 1.21
        to 1.27)."""
        lines = self._lines
        tree = lines.pcdata_runs(function, PCDATA_INL_TREE_INDEX)
        ends = sorted(
            {
                min(function.entry + end, function.end)
                for runs in (lines.runs(function.pcln), lines.runs(function.pcfile), tree)
                for end in runs.ends
            }
            | {function.entry + function.deferreturn, function.end}
        )
        name, start, wrapper = function.name, function.start_line, lines.wraps(function)
        low = function.entry
        for end in ends:
            if end > low and tree.value(low - function.entry) >= 0:
                yield low, end, tuple(lines.inline_stack(function, low))
            elif end > low:
                position = lines.position(function, low)
                yield low, end, (SourceFrame(name, *position, False, start, wrapper, low),)
            low = max(low, end)

    def _add(
        self, facts: LineFacts, reference: Reference, objects: _FrameObjects, inlined: str
    ) -> None:
        what = reference.what
        if isinstance(what, Constant):
            if reference.register:
                facts.statics.append(self._kinds.of(what))
        elif reference.register or objects.holds(what.offset):
            facts.stack.append(objects.witness(reference, what.offset, facts.entry, inlined))


class _FrameObjects:
    """The parts of a frame whose address the function takes somewhere.

    The compiler keeps what it can in registers and spills it to the frame; what has an address
    there is an object of the source. Its size is not known: it ends before the next one, and what
    is stored and loaded behind its beginning may be a register's.
    """

    def __init__(self, taken: Collection[Reference], code: CodeStarts) -> None:
        self._code = code
        self._starts = sorted(
            {r.what.offset for r in taken if isinstance(r.what, StackAddress) and r.register}
        )

    def holds(self, offset: int) -> bool:
        at = bisect_right(self._starts, offset) - 1
        return at >= 0 and offset - self._starts[at] < _OBJECT_LIMIT

    def witness(self, reference: Reference, offset: int, entry: int, inlined: str) -> StackWitness:
        taken = bool(reference.register)
        return StackWitness(
            reference.pc,
            offset,
            taken,
            entry,
            saved=offset in self._code.saved,
            moved=not (taken or self._code.writes(reference.pc)),
            inlined=inlined,
        )


def _with_frames(
    taken: Collection[Reference], runs: list[tuple[int, int, tuple[SourceFrame, ...]]]
) -> Iterator[tuple[Reference, tuple[SourceFrame, ...]]]:
    at = 0
    for reference in taken:
        while at < len(runs) and reference.pc >= runs[at][1]:
            at += 1
        if at < len(runs) and reference.pc >= runs[at][0]:
            yield reference, runs[at][2]


_RUNTIME = {
    "runtime.zerobase": (StaticKind.ZEROBASE, "runtime.zerobase, which serves every empty value"),
    "runtime.staticuint64s": (
        StaticKind.SMALL_VALUES,
        "runtime.staticuint64s, which holds the values below 256",
    ),
    "runtime.zeroVal": (StaticKind.ZERO_VALUE, "runtime.zeroVal, which serves zero values"),
}
# From each mark to the next one of its section lies this.
_MARKS = {
    "runtime.types": StaticKind.OTHER,
    "go:string.*": StaticKind.TEXT,
    "go:func.*": StaticKind.FUNCTION,
    "go:funcdesc": StaticKind.FUNCTION,
    "runtime.gcbits.*": StaticKind.CONSTANT,
}
_RELRO = ".data.rel.ro"


class _StaticKinds:
    """Tells kinds of read-only data apart by the linker's marks (cmd/link/internal/ld/data.go).

    In .rodata stand, in this order, types (a section of their own since 1.27), string bytes,
    function descriptors, pointer bitmaps and then the constants of packages.
    """

    def __init__(self, elf: ElfFile) -> None:
        self._elf = elf
        self._known: dict[int, Static] = {}
        marks = {s.name: s.address for s in elf.symbols if s.name in _MARKS}
        self._marks = sorted((address, name) for name, address in marks.items())

    def of(self, what: Constant) -> Static:
        known = self._known.get(what.value)
        if known is None:
            known = self._known[what.value] = self._of(what.value)
        return known

    def _of(self, address: int) -> Static:
        symbol = self._elf.symbol_at(address)
        section = self._elf.section_at(address)
        name = symbol.name if symbol else ""
        if name in _RUNTIME:
            kind, shown = _RUNTIME[name]
            return Static(kind, address, shown)
        if section is None or name.startswith(("go:itab.", "type:")) or ".dict." in name:
            return Static(StaticKind.OTHER, address, name)
        if section.flags & SHF_WRITE and section.name != _RELRO:
            return Static(StaticKind.GLOBAL, address, name or section.name)
        kind = self._read_only(section, address)
        return Static(kind, address, f"read-only data ({section.name})")

    def _read_only(self, section: Section, address: int) -> StaticKind:
        before = [name for at, name in self._marks if section.address <= at <= address]
        if section.flags & SHF_EXECINSTR:
            return StaticKind.OTHER
        return _MARKS[before[-1]] if before else StaticKind.CONSTANT


def places_of_inlining(
    facts: Mapping[tuple[str, int], Sequence[LineFacts]],
) -> dict[str, tuple[str, ...]]:
    """For each function that was inlined somewhere: where."""
    places: dict[str, list[str]] = {}
    for (file, line), of_line in facts.items():
        for fact in of_line:
            for name in fact.inlined:
                places.setdefault(name, []).append(f"{Path(file).name}:{line}")
    return {name: tuple(at) for name, at in places.items()}
