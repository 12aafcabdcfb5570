"""What is known of every frame that stands at one pc: where its pointers and its variables are."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence

import msgspec
import numpy as np

from goprobe.arch.machinecode import call_before
from goprobe.binary.dwarf.expression import Piece
from goprobe.binary.dwarf.gotypes import GoKind, GoType, element_number, has_pointer_at, part_at
from goprobe.binary.pcln.format import shown_name
from goprobe.binary.pcln.stackmap import frame_maps, stack_objects
from goprobe.counts import counted
from goprobe.errors import NotGoError, UnreadableError
from goprobe.runtime.heap.gcprograms import written_by
from goprobe.runtime.image.code import Spot
from goprobe.runtime.roots.givenslots import given_slots
from goprobe.runtime.stacks.unwind import MachineFrame
from goprobe.runtime.values.localplaces import named_elsewhere, pieces_at
from goprobe.runtime.values.pieces import is_word_of_another, leaves, named_word_type
from goprobe.runtime.values.spilled import parts_in_memory
from goprobe.runtime.world import World

WORD = 8
_POINTER_BYTES_LIMIT = 1 << 24
_NEVER_RETURNS = re.compile(r"runtime\.((go)?[pP]anic\w*|throw\w*|fatal\w*|block)(\.abi0)?")
"""Calls that the compiler ends a block with (BlockExit, cmd/compile, ssagen/ssa.go, Go 1.21 to
1.27)."""
_OVERLAPPING = 7  # variables share one place at most: cmd/compile merges them since Go 1.23


class FrameVariable(msgspec.Struct, frozen=True):
    """A variable at a place of its frame: [low, high) from the CFA. `rtype` is the descriptor of
    its type where nothing else tells that. `words`, where not empty, are the places of the words of
    its value (None: nowhere), of which only number `at` lies here. `code`: it is a closure, whose
    code begins there."""

    low: int
    high: int
    name: str
    type: GoType | None
    rtype: int = 0
    words: tuple[int | None, ...] = ()
    at: int = 0
    code: int = 0

    @property
    def offset(self) -> int:
        """How far into a value of its type it begins."""
        return WORD * self.at


class Lead(msgspec.Struct, frozen=True):
    """A variable that may point at a value on its own stack, which then has no other name: an
    array behind a slice (`many`), or what a pointer points at. `type` is that of the element."""

    place: int
    name: str
    type: GoType
    many: bool


class FrameObject(msgspec.Struct, frozen=True):
    """A stack object: `low` from the CFA, `pointers` its pointer words' offsets in bytes."""

    low: int
    size: int
    pointers: tuple[int, ...]


class FrameShape(msgspec.Struct, frozen=True):
    """What is known of every frame that stands at one pc. Places are bytes from the CFA.

    `exact` is False where there are no maps for it.
    """

    exact: bool
    slots: tuple[int, ...] = ()
    objects: tuple[FrameObject, ...] = ()
    variables: tuple[FrameVariable, ...] = ()
    starts: tuple[int, ...] = ()
    leads: tuple[Lead, ...] = ()

    def object_at(self, place: int) -> FrameObject | None:
        """The stack object that a place is part of."""
        return next((o for o in self.objects if o.low <= place < o.low + o.size), None)

    def covering(self, place: int) -> Iterator[FrameVariable]:
        """The variables that a place belongs to, the one that begins last first."""
        last = bisect_right(self.starts, place) - 1
        for at in range(last, max(last - _OVERLAPPING, -1), -1):
            if self.variables[at].low <= place < self.variables[at].high:
                yield self.variables[at]


def function_of(frame: MachineFrame) -> str:
    """What is told of a frame's function."""
    return shown_name(frame.function) or "code that is not Go's"


class FrameShapes:
    """The shapes of a program's frames, each read once. Source: src/runtime/stkframe.go."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._shapes: dict[int, FrameShape] = {}

    def of(self, frame: MachineFrame, spot: Spot) -> FrameShape:
        key = frame.pc
        shape = self._shapes.get(key)
        if shape is None:
            shape = self._shapes[key] = self._read_shape(frame, spot)
        return shape

    def variable(self, shape: FrameShape, place: int) -> FrameVariable | None:
        """What a pointer at a place is part of. A variable that has no pointer there is not what
        lies there: another one has taken its place."""
        return next((v for v in shape.covering(place) if self._may_be(v, place)), None)

    def _may_be(self, variable: FrameVariable, place: int) -> bool:
        return self.fits(variable.type, place - variable.low + variable.offset)

    def _is_told(self, variables: Sequence[FrameVariable], place: int) -> bool:
        """Whether one of some variables, of a known type, has a pointer at a place."""
        over = (v for v in variables if v.low <= place < v.high and v.type is not None)
        return any(self._may_be(v, place) for v in over)

    def fits(self, kind: GoType | None, offset: int) -> bool:
        """Whether values of a type have a pointer so many bytes from their beginning."""
        if kind is None:
            return True
        _, part, into = part_at(self._world.program.debug.types, kind, offset)
        return has_pointer_at(part, into)

    def _read_shape(self, frame: MachineFrame, spot: Spot) -> FrameShape:
        function = spot.function
        table = function.table
        try:
            maps = frame_maps(table, function, frame.pc)
            # varp: below the saved frame pointer, which frames of some size have.
            varp = -16 if spot.size > 0 else -8
            # Its bits are for the words right below varp, the lowest first (getStackMap).
            first = varp - WORD * maps.locals.words
            slots = [first + WORD * i for i in maps.locals]
            slots += [WORD * i for i in maps.arguments]
            objects = tuple(
                FrameObject(
                    o.offset + (varp if o.offset < 0 else 0),
                    o.size,
                    self._pointers(o.pointer_bytes, o.bitmap),
                )
                for o in stack_objects(table, function)
            )
        except UnreadableError:
            return FrameShape(False)
        variables = sorted(self._told(frame, _unaddressed(slots, objects)), key=lambda v: v.low)
        return FrameShape(
            True,
            tuple(slots),
            objects,
            tuple(variables),
            tuple(v.low for v in variables),
            tuple(self._leads(variables)),
        )

    def _leads(self, variables: list[FrameVariable]) -> Iterator[Lead]:
        types = self._world.program.debug.types
        for v in variables:
            if v.type is None or v.words:
                continue
            if v.type.kind == GoKind.POINTER and v.type.elem:
                yield Lead(v.low, v.name, types.at(v.type.elem), False)
            elif v.type.kind == GoKind.SLICE:
                elem = types.at(element_number(types, v.type))
                yield Lead(v.low, v.name, elem, True)

    def _pointers(self, size: int, bitmap: int) -> tuple[int, ...]:
        """Where in a stack object pointers lie; `size` is less than 0 where a GC program says."""
        if abs(size) > _POINTER_BYTES_LIMIT:
            raise UnreadableError(
                bitmap, 1, f"a stack object with {counted(abs(size), 'byte')} of pointers"
            )
        memory, count = self._world.memory, abs(size) // WORD
        if size < 0:
            bits = written_by(memory, bitmap, count)
        else:
            raw = np.frombuffer(memory.read(bitmap, (count + 7) // 8), np.uint8)
            bits = np.unpackbits(raw, count=count, bitorder="little").tobytes()
        return tuple(WORD * i for i, bit in enumerate(bits) if bit)

    def _told(self, frame: MachineFrame, slots: Sequence[int]) -> Iterator[FrameVariable]:
        """Variables in memory, and words of such that have a name of their own, where nothing else
        tells what lies there."""
        types = self._world.program.debug.types
        words: list[FrameVariable] = []
        whole: list[FrameVariable] = []
        for v in self._variables(frame):
            (words if is_word_of_another(v.name) else whole).append(v)
        yield from whole
        yield from self._given(frame, slots, whole)
        for v in words:
            if not self._is_told(whole, v.low):
                known = named_word_type(types, v.name, v.type) if v.type else None
                yield FrameVariable(v.low, v.high, v.name, known)

    def _given(
        self, frame: MachineFrame, slots: Sequence[int], known: Sequence[FrameVariable]
    ) -> Iterator[FrameVariable]:
        """Parameters in pointer slots of which no variable tells."""
        program, pc = self._world.program, frame.lookup - self._world.bias
        places = [at for at in slots if at < 0 and not self._is_told(known, at)]
        function = None if program.stripped or not places else program.debug.function_at(pc)
        if function is None or frame.lookup != frame.pc - 1:
            return
        for each in given_slots(program, function, pc, places):
            yield FrameVariable(each.place, each.place + WORD, each.name, each.type)

    def _variables(self, frame: MachineFrame) -> Iterator[FrameVariable]:
        """Variables in memory of the functions, inlined ones too, that cover a pc."""
        program = self._world.program
        if program.stripped:
            return
        pc = frame.lookup - self._world.bias
        behind = self._returns_to(frame)
        function = program.debug.function_at(pc)
        if function is None:
            return
        try:
            scopes = program.debug.scopes(function, pc)
        except NotGoError:
            return
        types, every = program.debug.types, [each for scope in scopes for each in scope.locals]
        for scope in scopes:
            for local in scope.locals:
                if not local.name:
                    continue
                go_type = types.at(local.type)
                pieces = pieces_at(local, pc)
                if behind and not _in_memory(pieces, all):
                    later = pieces_at(local, behind)
                    pieces = later if _in_memory(later, any) else pieces
                words = named_elsewhere(local, tuple(leaves(types, go_type)), every)
                for part in parts_in_memory(
                    types, local.name, go_type, pieces, local.locations, words
                ):
                    yield FrameVariable(
                        part.address, part.address + part.size, part.name, part.type,
                        words=part.words, at=part.at,
                    )  # fmt: skip

    def _returns_to(self, frame: MachineFrame) -> int:
        """The link-time address that a frame's call returns to, 0 where it stands at none, or that
        one may never return: then what stands behind it is another path's.

        While a call runs, what is also in a register is said to be there by the debug information,
        which speaks of the instruction; behind it only the place in the frame is left, and nothing
        has run in between.
        """
        behind, program = frame.pc - self._world.bias, self._world.program
        if frame.lookup != frame.pc - 1:
            return 0
        try:
            target = call_before(program.elf.read, behind)
            called = program.lines.function_at(target) if target else None
        except (UnreadableError, NotGoError):
            return 0
        return 0 if called is not None and _NEVER_RETURNS.fullmatch(called.name) else behind


def _unaddressed(slots: Sequence[int], objects: Sequence[FrameObject]) -> list[int]:
    """Those that nothing but the function's own code stores to."""
    return [at for at in slots if not any(o.low <= at < o.low + o.size for o in objects)]


def _in_memory(pieces: Sequence[Piece], how_many: Callable[[Iterable[bool]], bool]) -> bool:
    """Whether all pieces of a variable that are anywhere, or any, lie in memory."""
    there = [p for p in pieces if p.register or p.address is not None]
    return bool(there) and how_many(p.address is not None for p in there)
