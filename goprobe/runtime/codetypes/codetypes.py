"""Types that nothing but the code of a program tells: of its variables, and of what its closures
have captured, where it has no debug information."""

from __future__ import annotations

from collections.abc import Collection
from functools import cached_property

from goprobe.binary.elf.parts import loaded_parts
from goprobe.errors import UnreadableError
from goprobe.process.memory.memory import u64
from goprobe.runtime.codetypes.addresses import constants_of
from goprobe.runtime.codetypes.closuretypes import ClosureTypes
from goprobe.runtime.codetypes.dictionaries import Dictionaries
from goprobe.runtime.codetypes.functions import Functions
from goprobe.runtime.codetypes.globalwords import GlobalWords
from goprobe.runtime.codetypes.keptcode import KeptAnswers
from goprobe.runtime.codetypes.meanings import NIL, Meanings
from goprobe.runtime.codetypes.pointed import Pointed
from goprobe.runtime.codetypes.receivers import Receivers
from goprobe.runtime.roots.globals import static_links
from goprobe.runtime.types.shape import WORD, Meaning
from goprobe.runtime.types.shapes import Shapes
from goprobe.runtime.world import World


class CodeTypes:
    """Of the program's own module; addresses are the process's."""

    def __init__(self, world: World, shapes: Shapes) -> None:
        program, catalog = world.program, world.catalog
        self._world = world
        self._operands = world.operands
        # Debug information tells most of it: then little is asked, and it is not worth the digest.
        self._kept = KeptAnswers(loaded_parts(program.elf) if program.stripped else None)
        self._functions = Functions(program.elf, program.lines, self._kept)
        receivers = Receivers(world.memory, world.typedata, catalog)
        dictionaries = Dictionaries(
            world.memory,
            world.typedata,
            catalog,
            constants_of(world),
            world.named,
        )
        self._meanings = Meanings(
            world, shapes, self._functions, receivers, dictionaries, self._captured
        )
        self._globals = GlobalWords(self._functions, self._meanings, shapes)
        self._framed: dict[tuple[tuple[int, ...], int], Meaning | None] = {}
        self._closures = ClosureTypes(self._functions, self._meanings, shapes)

    def of_globals(self, addresses: Collection[int]) -> dict[int, Meaning]:
        """What pointers mean that stand at some addresses in package-level variables, as far as
        the code that uses them tells."""
        bias = self._world.bias
        inside = self._pointed.around(addresses)
        asked = {*addresses, *(pointer for some in inside.values() for pointer, _ in some)}
        through = {
            at - bias: [
                (pointer - bias, at - into - bias)
                for pointer, into in pointers
                if self._is_constant(pointer) and not self._is_in_interface(pointer)
            ]
            for at, pointers in inside.items()
        }
        told = self._globals.told([at - bias for at in asked], self._operands, through)
        meanings = {at + bias: meaning for at, meaning in told.items()}
        for at, pointers in inside.items():
            for pointer, into in pointers if at not in meanings else ():
                part = self._meanings.part(meanings.get(pointer), into)
                if part is not None:
                    meanings.setdefault(at, part)
        return meanings

    def _is_constant(self, place: int) -> bool:
        """Whether no code is seen to store to a package-level word, or to take its address: then it
        is what it was from the beginning, though it be an unsafe.Pointer."""
        operands, at = self._operands, place - self._world.bias
        first, end = operands.target.searchsorted([at, at + 1])
        return not (operands.stores[first:end] | operands.taken[first:end]).any()

    def _is_in_interface(self, place: int) -> bool:
        """Whether a package-level word seems to be an interface's second: before it stands a type,
        or an itab, the second word of which is one (src/runtime/runtime2.go, Go 1.21 to 1.27)."""
        low, high = self._world.static
        try:
            first = u64(self._world.memory, place - WORD)
            inside = low <= first < high - 2 * WORD and first % WORD == 0
            words = (first, u64(self._world.memory, first + WORD)) if inside else ()
        except UnreadableError:
            return True
        return any(m["types"] <= word < m["etypes"] for m in self._world.modules for word in words)

    def of_frame(self, standing: tuple[int, ...], place: int) -> Meaning | None:
        """What the word means at a place of a frame, from its CFA, of a function that stands in a
        call: pcs within it, and within those that led there. None where that is not known."""
        key = standing, place
        if key not in self._framed:
            pc, *way = (at - self._world.bias for at in standing)
            told = self._meanings.at_place(place, pc, tuple(way))
            self._framed[key] = None if told == NIL else told
        return self._framed[key]

    def _captured(self, code: int, offset: int) -> int:
        return self._closures.captured(code, offset, self._operands)

    @cached_property
    def _pointed(self) -> Pointed:
        return Pointed(static_links(self._world))

    def keep(self) -> None:
        """What the code said, for the next look at a program of the same bytes."""
        self._kept.keep()

    def of_closure(self, code: int) -> int:
        """The descriptor of the type of closures whose code begins at an address, 0 for none."""
        return self._closures.of(code - self._world.bias, self._operands)
