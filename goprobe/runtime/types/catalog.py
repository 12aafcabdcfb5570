"""Every type that a program can allocate, by the runtime's own descriptors, as columns.

The linker lists descriptors for reflect's sake: moduledata.typelinks up to Go 1.26; since 1.27
they lie one behind the other from moduledata.types on. Those lead to all others: a named type T is
listed with *T (cmd/compile/internal/reflectdata/reflect.go, writeType). What reflect makes at run
time is not among them.
Source: src/runtime/type.go (typelinksinit, moduleTypelinks), internal/abi/type.go, Go 1.21 to 1.27.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from goprobe.binary.dwarf.gotypes import GoKind
from goprobe.errors import UnreadableError
from goprobe.process.memory.copies import Words
from goprobe.process.memory.memory import Memory
from goprobe.runtime.heap.grouping import distinct, groups
from goprobe.runtime.heap.spantable import Ints
from goprobe.runtime.image.modules import Module
from goprobe.runtime.layout.layout import Layout
from goprobe.runtime.types.typedata import WITH_KIND
from goprobe.runtime.types.typenames import FIELD_BYTES, RTYPE_BYTES

_WORD = 8
_KIND_MASK = 31  # KindMask, up to Go 1.25
_UNCOMMON, _NAMED = 1, 4  # abi.TFlag
_UNCOMMON_BYTES, _METHOD_BYTES, _IMETHOD_BYTES = 16, 16, 8
_SECTION_LIMIT = 1 << 30
_PROGRAM_LIMIT = 1 << 31  # bytes: code reaches its data by 32 bits
_TYPES_LIMIT = 1 << 22
_FIELDS_LIMIT = 1 << 16
_SIZE_LIMIT = 1 << 47
_DEPTH_LIMIT = 64
_FLAGS_END = 1 << 6  # of abi.TFlag, Go 1.21 to 1.27
_TAIL = 24  # bytes of a name that are compared
_HALF = np.uint64((1 << 32) - 1)


class _Sections:
    """The modules' sections of types, as words."""

    def __init__(self, memory: Memory, modules: Iterable[Module]) -> None:
        self._parts: list[tuple[int, Words]] = []
        for module in modules:
            low, size = module["types"], module["etypes"] - module["types"]
            if low % _WORD or not 0 < size <= _SECTION_LIMIT:
                continue
            try:
                raw = memory.read(low, size & -_WORD)
            except UnreadableError:
                continue
            self._parts.append((low, np.frombuffer(raw, np.uint64)))

    def at(self, addresses: Words) -> Words:
        """The word at each address; 0 where there is none."""
        values = np.zeros(len(addresses), np.uint64)
        for low, words in self._parts:
            index = (addresses - np.uint64(low)) >> np.uint64(3)
            here = (addresses >= np.uint64(low)) & (index < np.uint64(len(words)))
            values[here] = words[index[here].astype(np.int64)]
        return values

    def beside(self, addresses: Words, offset: int) -> Words:
        return self.at(addresses + np.uint64(offset))

    def low(self, addresses: Words) -> Words:
        """Where the section of each address begins; 0 where it is in none."""
        lows = np.zeros(len(addresses), np.uint64)
        for low, words in self._parts:
            high = low + _WORD * len(words)
            lows[(addresses >= np.uint64(low)) & (addresses < np.uint64(high))] = low
        return lows

    def byte(self, addresses: Words) -> Words:
        """The byte at each address; 0 where there is none."""
        return self.at(addresses) >> (addresses % np.uint64(_WORD) * np.uint64(8)) & np.uint64(0xFF)

    @property
    def longest(self) -> int:
        return max((_WORD * len(words) for _, words in self._parts), default=0)

    def near(self, addresses: Words) -> NDArray[np.bool_]:
        """Whether each is nothing, or an address as far from a section as a program is large."""
        near: NDArray[np.bool_] = addresses == 0
        for low, _ in self._parts:
            begin = np.uint64(max(low - _PROGRAM_LIMIT, 0))
            near |= (addresses >= begin) & (addresses < np.uint64(low + _PROGRAM_LIMIT))
        return near


class Catalog:
    """Types in the order of their descriptors' addresses; `size` and `pointer_bytes` in bytes.

    Parts (fields of structs, elements of arrays) of row i are those from first[i] to first[i + 1]:
    `count` values of the type in row `inner`, from `offset` on.
    """

    def __init__(
        self,
        address: Words,
        size: Ints,
        pointer_bytes: Ints,
        kind: Ints,
        parts: tuple[Ints, Ints, Ints, Ints],
        text: Words,
        sections: _Sections,
    ) -> None:
        """`text` is where the name of each stands that has one of its own, or is a struct, in the
        `sections` of types."""
        self.address = address
        self.size = size
        self.pointer_bytes = pointer_bytes
        self.kind = kind
        outer, self.offset, self.inner, self.count = parts
        self.first = np.searchsorted(outer, np.arange(len(address) + 1))
        self._outer = outer
        self._text = text
        self._sections = sections

    def __len__(self) -> int:
        return len(self.address)

    def row(self, rtype: int) -> int:
        """The row of the type whose descriptor is at an address, -1 for none."""
        at = int(np.searchsorted(self.address, np.uint64(rtype)))
        return at if at < len(self) and int(self.address[at]) == rtype else -1

    @cached_property
    def _by_inner(self) -> tuple[Ints, Ints]:
        order = np.argsort(self.inner, kind="stable")
        return np.searchsorted(self.inner[order], np.arange(len(self) + 1)), order

    def holders(self, row: int, most: int) -> NDArray[np.bool_]:
        """Of each type, whether a value of it, of at most `most` bytes, has a part of the type in
        `row`, at any depth."""
        first, order = self._by_inner
        holding = np.zeros(len(self), bool)
        waiting = [row]
        for _ in range(len(self)):
            if not waiting:
                break
            at = waiting.pop()
            for part in order[first[at] : first[at + 1]].tolist():
                outer = int(self._outer[part])
                if not holding[outer] and self.size[outer] <= most:
                    holding[outer] = True
                    waiting.append(outer)
        return holding

    def places(
        self, outer: int, inner: int, within: NDArray[np.bool_]
    ) -> Iterator[tuple[int, int]]:
        """(offset, number) of the runs of values of one type in a value of another; `within` are
        the holders of the inner one."""
        waiting = [(outer, 0, 0)]
        while waiting:
            row, base, depth = waiting.pop()
            for part in range(int(self.first[row]), int(self.first[row + 1])):
                at, type_row = base + int(self.offset[part]), int(self.inner[part])
                count = int(self.count[part])
                if type_row == inner:
                    yield at, count
                elif within[type_row] and depth < _DEPTH_LIMIT:
                    step = int(self.size[type_row])
                    waiting += [(type_row, at + i * step, depth + 1) for i in range(count)]

    def namesakes(self) -> list[list[int]]:
        """The descriptors whose names are one text: the linker keeps each text of a module once."""
        rows = np.flatnonzero(self._text)
        shared = groups(self._text[rows], np.argsort(self._text[rows], kind="stable"))
        return [self.address[rows[some]].tolist() for _, some in shared if len(some) > 1]

    def structs_ending(self, name: str) -> list[int]:
        """The descriptors of structs whose names may end so: their last bytes do."""
        rows = np.flatnonzero((self.kind == GoKind.STRUCT) & (self._text > 0))
        text, byte, seven = self._text[rows], self._sections.byte, np.uint64(0x7F)
        low, high = byte(text + np.uint64(1)), byte(text + np.uint64(2))
        long = low > seven  # abi.Name: flags, then the length, seven bits a byte
        length = np.where(long, (low & seven) | high << np.uint64(7), low)
        end = text + np.where(long, np.uint64(3), np.uint64(2)) + length
        for back, wanted in enumerate(reversed(name.encode()[-_TAIL:]), 1):
            same = byte(end - np.uint64(back)) == np.uint64(wanted)
            rows, end = rows[same], end[same]
        ending: list[int] = self.address[rows].tolist()
        return ending

    def begins_with(self, outer: int, inner: int) -> bool:
        """Whether the type in row `outer` begins with a value of the other."""
        at = outer
        for _ in range(_DEPTH_LIMIT):
            before, at = at, int(self.beginnings[at])
            if at == before:
                return False
            if at == inner:
                return True
        return False

    @cached_property
    def beginnings(self) -> Ints:
        """Of each type the part that its first byte is in; itself where it has none."""
        rows = np.flatnonzero((self.offset == 0) & (self.count > 0) & (self.size[self.inner] > 0))
        first = np.arange(len(self))
        first[self._outer[rows]] = self.inner[rows]
        return first


def read_catalog(
    memory: Memory, layout: Layout, modules: Iterable[Module], by_code: Words
) -> Catalog:
    """The types of all modules; an empty catalogue where nothing can be read. `by_code` are
    addresses in their sections of types that code takes: what is allocated by name alone (named
    types whose pointers are no type of the program's) is in no list before Go 1.27."""
    modules = [m for m in modules if not m.bad]
    sections = _Sections(memory, modules)
    reader = _Reader(sections, layout)
    links = [_listed(memory, sections, layout, module) for module in modules]
    links.append(reader.well_formed(by_code))
    known = reader.plausible(np.concatenate([np.zeros(0, np.uint64), *links]))
    fresh = known
    while len(fresh) and len(known) < _TYPES_LIMIT:
        led = reader.plausible(reader.led_to(fresh))
        fresh = np.setdiff1d(led, known, assume_unique=True)
        known = distinct(np.concatenate((known, fresh)))
    return reader.catalog(known)


def _listed(memory: Memory, sections: _Sections, layout: Layout, module: Module) -> Words:
    low = module["types"]
    if "typedesclen" in module.record.layout:
        high = min(low + module["typedesclen"], module["etypes"])
        if not 0 <= high - low <= _SECTION_LIMIT or high >= _SIZE_LIMIT:
            return np.zeros(0, np.uint64)
        return np.array(list(_one_by_one(sections, layout, low + _WORD, high)), np.uint64)
    at, count = module["typelinks"], module.record.word("typelinks", 1)
    if not 0 < count <= _TYPES_LIMIT or low >= _SIZE_LIMIT:
        return np.zeros(0, np.uint64)
    try:
        raw = np.frombuffer(memory.read(at, 4 * count), np.int32)
    except UnreadableError:
        return np.zeros(0, np.uint64)
    return (raw.astype(np.int64) + low).astype(np.uint64)


def _one_by_one(sections: _Sections, layout: Layout, at: int, high: int) -> Iterator[int]:
    """Descriptors that lie one behind the other (abi.Type.DescriptorSize)."""
    struct = layout.struct("internal/abi.Type")
    flags, kinds = struct.offset("TFlag"), struct.offset("Kind_")
    start = at & -_WORD
    places = np.arange(start, max(high, at) + _WORD, _WORD, dtype=np.int64)
    words: list[int] = sections.at(places.astype(np.uint64)).tolist()

    def number(address: int, size: int) -> int:
        index = (address - start) >> 3
        if not 0 <= index < len(words):
            return 0
        return words[index] >> 8 * (address & 7) & (1 << 8 * size) - 1

    while at < high:
        at = (at + _WORD - 1) & -_WORD
        kind = number(at + kinds, 1) & _KIND_MASK
        if not 0 < kind <= GoKind.UNSAFE_POINTER:
            return
        yield at
        size = WITH_KIND.get(GoKind(kind), RTYPE_BYTES)
        if kind == GoKind.MAP:
            size = layout.struct("internal/abi.MapType").size
        more = 0
        if kind == GoKind.FUNC:
            more = _WORD * (
                number(at + RTYPE_BYTES, 2) + (number(at + RTYPE_BYTES + 2, 2) & 0x7FFF)
            )
        elif kind in (GoKind.INTERFACE, GoKind.STRUCT):
            step = FIELD_BYTES if kind == GoKind.STRUCT else _IMETHOD_BYTES
            more = step * number(at + RTYPE_BYTES + 2 * _WORD, 4)
        if number(at + flags, 1) & _UNCOMMON:
            more += _UNCOMMON_BYTES + _METHOD_BYTES * number(at + size + 4, 2)
        at += size + more


class _Reader:
    def __init__(self, sections: _Sections, layout: Layout) -> None:
        self._sections = sections
        struct = layout.struct("internal/abi.Type")
        self._size, self._prefix = struct.offset("Size_"), struct.offset("PtrBytes")
        self._kind, self._names = struct.offset("Kind_"), struct.offset("Str")
        self._mask, self._flags = struct.offset("GCData"), struct.offset("TFlag")

    def plausible(self, addresses: Words) -> Words:
        """Those of some addresses that may be descriptors, each once, ascending."""
        plausible = distinct(addresses[addresses % np.uint64(_WORD) == 0])
        kind = self._kinds(plausible)
        size, prefix = self._sections.beside(plausible, self._size), self._prefixes(plausible)
        sane = (kind > 0) & (kind <= GoKind.UNSAFE_POINTER) & (size < np.uint64(_SIZE_LIMIT))
        return plausible[sane & (prefix <= size)]

    def well_formed(self, addresses: Words) -> Words:
        """Those of some addresses that are descriptors beyond doubt: of addresses that may as well
        be of strings, and of all else that is only read."""
        some = self.plausible(addresses)
        beside = self._sections.beside
        flags = beside(some, self._kind & -_WORD)  # Hash, TFlag, Align_, FieldAlign_, Kind_
        align, field_align = (flags >> np.uint64(at) & np.uint64(0xFF) for at in (40, 48))
        names = beside(some, self._names)
        good = (align == field_align) & np.isin(align, (1, 2, 4, 8))
        good &= beside(some, self._size) % np.maximum(align, 1) == 0
        good &= (flags >> np.uint64(32) & np.uint64(0xFF)) < np.uint64(_FLAGS_END)
        good &= self._prefixes(some) % np.uint64(_WORD) == 0
        for offset in (names & _HALF, names >> np.uint64(32)):  # Str, PtrToThis
            good &= offset < np.uint64(self._sections.longest)
        for at in (self._mask - _WORD, self._mask):  # Equal, GCData
            good &= self._sections.near(beside(some, at))
        formed: Words = some[good & (names & _HALF != 0)]
        return formed

    def _kinds(self, addresses: Words) -> Ints:
        at = self._kind
        word = self._sections.beside(addresses, at & -_WORD)
        kinds: Ints = (word >> np.uint64(8 * (at % _WORD)) & np.uint64(_KIND_MASK)).astype(np.int64)
        return kinds

    def _prefixes(self, addresses: Words) -> Words:
        return self._sections.beside(addresses, self._prefix)

    def led_to(self, addresses: Words) -> Words:
        """The types that some are made of."""
        kind, beside = self._kinds(addresses), self._sections.beside
        first = np.isin(kind, (GoKind.ARRAY, GoKind.CHAN, GoKind.POINTER, GoKind.SLICE, GoKind.MAP))
        maps = addresses[kind == GoKind.MAP]
        _, _, fields = self._fields(addresses[kind == GoKind.STRUCT])
        return np.concatenate(
            (
                beside(addresses[first], RTYPE_BYTES),
                fields,
                beside(maps, RTYPE_BYTES + _WORD),
                beside(maps, RTYPE_BYTES + 2 * _WORD),
            )
        )

    def _fields(self, structs: Words) -> tuple[Ints, Ints, Words]:
        """Of all fields: the row of the struct, the offset in it, the type's address."""
        start = self._sections.beside(structs, RTYPE_BYTES + _WORD)
        count = self._sections.beside(structs, RTYPE_BYTES + 2 * _WORD)
        number = np.minimum(count, np.uint64(_FIELDS_LIMIT)).astype(np.int64)
        owner = np.repeat(np.arange(len(structs)), number)
        nth = np.arange(len(owner)) - np.repeat(np.cumsum(number) - number, number)
        at = start[owner] + (nth * FIELD_BYTES).astype(np.uint64)
        kinds, offset = (self._sections.beside(at, word * _WORD) for word in (1, 2))
        near = offset < np.uint64(_SIZE_LIMIT)
        return owner[near], offset[near].astype(np.int64), kinds[near]

    def catalog(self, address: Words) -> Catalog:
        kind = self._kinds(address)
        size = self._sections.beside(address, self._size).astype(np.int64)
        structs = np.flatnonzero(kind == GoKind.STRUCT)
        arrays = np.flatnonzero(kind == GoKind.ARRAY)
        owner, offset, fields = self._fields(address[structs])
        elements = self._sections.beside(address[arrays], RTYPE_BYTES)
        lengths = self._sections.beside(address[arrays], RTYPE_BYTES + 2 * _WORD)
        outer = np.concatenate((structs[owner], arrays))
        at = np.concatenate((offset, np.zeros(len(arrays), np.int64)))
        inner = np.searchsorted(address, np.concatenate((fields, elements)))
        inner = np.minimum(inner, max(len(address) - 1, 0))
        known = address[inner] == np.concatenate((fields, elements)) if len(address) else inner > 0
        count = np.concatenate(
            (
                np.ones(len(fields), np.int64),
                np.minimum(lengths, np.uint64(_SIZE_LIMIT)).astype(np.int64),
            )
        )
        # What lies beyond its whole, or repeats endlessly, is corrupt.
        reach = at + size[inner] * np.minimum(count, _SIZE_LIMIT // np.maximum(size[inner], 1))
        known &= (reach <= size[outer]) & ((size[inner] > 0) | (count == 1))
        order = np.flatnonzero(known)[np.lexsort((at[known], outer[known]))]
        return Catalog(
            address,
            size,
            self._prefixes(address).astype(np.int64),
            kind,
            (outer[order], at[order], inner[order], count[order]),
            self._texts(address, kind),
            self._sections,
        )

    def _texts(self, address: Words, kind: Ints) -> Words:
        beside = self._sections.beside
        flags = beside(address, self._flags & -_WORD) >> np.uint64(8 * (self._flags % _WORD))
        named = (flags & np.uint64(_NAMED) != 0) | (kind == GoKind.STRUCT)
        names = beside(address, self._names & -_WORD) >> np.uint64(8 * (self._names % _WORD))
        return np.where(named, self._sections.low(address) + (names & _HALF), np.uint64(0))
