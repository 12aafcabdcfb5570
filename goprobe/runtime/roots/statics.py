"""Names and types of static memory without a variable of its own.

What `var cache = &Cache{…}` points at is laid out by the linker in .data or .bss, as a symbol that
nobody can name (`main..stmp_0`, src/cmd/compile/internal/staticinit, Go 1.21 to 1.27; not in the
symbol table, and without debug information). It is found through what points at it: a typed
variable, or static memory that was itself found so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec
import numpy as np
from numpy.typing import NDArray

from goprobe.binary.dwarf.gotypes import GoKind, GoType, TypeReader, element_number, part_at
from goprobe.process.memory.copies import Words
from goprobe.process.memory.memory import word_at
from goprobe.runtime.image.modules import Module
from goprobe.runtime.world import World

_WORD = 8
_DEPTH_LIMIT = 16
_TRIES = 64
_U64 = np.uint64(_WORD)
_ELEMENT = "[]"  # ends the name of a slice's array
_SECTIONS = ("data", "bss", "noptrdata", "noptrbss")


class Named(msgspec.Struct, frozen=True):
    """A package-level variable, or what one leads to: [low, high) in the target. `name` is how Go
    selects its parts; `pointee`: what lies here is what the pointer of that name points at."""

    low: int
    high: int
    name: str
    type: GoType | None
    pointee: bool = False

    @property
    def shown(self) -> str:
        """What the thing at `low` itself is called."""
        return f"*{self.name}" if self.pointee else self.name


class Links:
    """Pointers from the modules' pointer words to the modules' own data, by where they lead."""

    def __init__(self, modules: Iterable[Module]) -> None:
        spans = [m.span(section) for m in modules for section in _SECTIONS]
        self._spans = [(low, high) for low, high in spans if low < high]
        self._parts: list[tuple[Words, Words]] = []

    def add(self, start: int, words: Words, pointers: NDArray[np.bool_]) -> None:
        """The words of a section from `start` on; `held` are those that may be pointers."""
        inside = np.zeros(len(words), np.bool_)
        for low, high in self._spans:
            inside |= (words >= np.uint64(low)) & (words < np.uint64(high))
        places = np.flatnonzero(inside & pointers)
        self._parts.append((words[places], np.uint64(start) + places.astype(np.uint64) * _U64))

    def sorted(self) -> tuple[Words, Words]:
        """Where the pointers lead, ascending, and where each lies."""
        none = np.zeros(0, np.uint64)
        values = np.concatenate([none, *(values for values, _ in self._parts)])
        places = np.concatenate([none, *(places for _, places in self._parts)])
        order = np.argsort(values, kind="stable")
        return values[order], places[order]


class Statics:
    """Finds what nameless static memory is part of. `variable` tells the typed variable at an
    address, None where there is none."""

    def __init__(self, world: World, links: Links, variable: Callable[[int], Named | None]) -> None:
        self._world = world
        self._variable = variable
        self._values, self._places = links.sorted()
        self._known: dict[int, Named | None] = {}

    def at(self, address: int, depth: int = 0) -> Named | None:
        """What the memory at an address is, None where nothing typed leads to it."""
        if depth > _DEPTH_LIMIT:
            return None
        last = int(np.searchsorted(self._values, np.uint64(address), side="right"))
        for i in range(last - 1, max(last - _TRIES, 0) - 1, -1):
            place = int(self._places[i])
            if place not in self._known:
                self._known[place] = None  # should it lead back to itself
                self._known[place] = self._through(place, int(self._values[i]), depth)
            named = self._known[place]
            if named and named.low <= address < named.high:
                return _element(named, address)
        return None

    def _through(self, place: int, value: int, depth: int) -> Named | None:
        """What the pointer at a place leads to."""
        owner = self._variable(place) or self.at(place, depth + 1)
        if owner is None or owner.type is None:
            return None
        types = self._world.program.debug.types
        path, kind, into = part_at(types, owner.type, place - owner.low)
        target = self._pointee(types, kind, place, into)
        if target is None:
            return None
        elem, count = target
        if not elem.size or not count:
            return None
        many = kind.kind == GoKind.SLICE
        name = f"{owner.name}{path}{_ELEMENT if many else ''}"
        return Named(value, value + elem.size * count, name, elem, not many)

    def _pointee(
        self, types: TypeReader, go_type: GoType, place: int, into: int
    ) -> tuple[GoType, int] | None:
        """The type and the number of values that a pointer word leads to."""
        match go_type.kind:
            case GoKind.POINTER if not into:
                return types.at(go_type.elem), 1
            case GoKind.SLICE if not into:
                elem = types.at(element_number(types, go_type))
                return elem, self._word(place + 2 * _WORD)
            case GoKind.INTERFACE if into == _WORD:
                members = types.at(go_type.underlying).members
                table = self._word(place - _WORD)
                if table and any(m.name == "tab" for m in members):
                    table = self._word(table + _WORD)
                dynamic = self._world.typedata.debug_type(table) if table else None
                if dynamic and dynamic.kind == GoKind.POINTER:
                    return types.at(dynamic.elem), 1
                return (dynamic, 1) if dynamic else None
        return None

    def _word(self, address: int) -> int:
        return word_at(self._world.memory, address)


def _element(whole: Named, address: int) -> Named:
    """Of a slice's array, the element at an address."""
    if not whole.name.endswith(_ELEMENT) or whole.type is None:
        return whole
    index = (address - whole.low) // whole.type.size
    low = whole.low + index * whole.type.size
    name = f"{whole.name.removesuffix(_ELEMENT)}[{index}]"
    return Named(low, low + whole.type.size, name, whole.type)
