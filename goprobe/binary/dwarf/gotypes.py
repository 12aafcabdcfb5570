"""Go types as the debug information describes them.

Attributes DW_AT_go_*: src/cmd/internal/dwarf/dwarf.go; written by
src/cmd/link/internal/ld/dwarf.go (Go 1.21 to 1.27).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import IntEnum
from typing import Protocol

import msgspec
from msgspec.structs import replace

from goprobe.binary.cache import Source, load, room_of, store
from goprobe.binary.dwarf import dieindex as ix, forms
from goprobe.binary.dwarf.dieindex import Attributes, Die, integer, text
from goprobe.errors import NotGoError

_MEMBER_LIMIT = 1 << 16
_CHAIN_LIMIT = 32
_PARTS_LIMIT = 16
_DEPTH_LIMIT = 64
_TOO_HEAVY = 1 << 20
_ROOM = room_of("types", __file__, ix.__file__, forms.__file__)
_FEW, _MANY = 1 << 9, 1 << 10  # types: what is kept is looked for, more is kept (m: 30 us each)
_MOST, _MOST_KEPT = 1 << 17, 1 << 9  # types of a binary, binaries
_SIZE_LIMIT = 1 << 52  # bytes: the largest type of the runtime itself has 2**50 (vdsoArrayMax)


class GoKind(IntEnum):
    """reflect.Kind's numbers (src/internal/abi/type.go)."""

    INVALID = 0
    BOOL = 1
    INT = 2
    INT8 = 3
    INT16 = 4
    INT32 = 5
    INT64 = 6
    UINT = 7
    UINT8 = 8
    UINT16 = 9
    UINT32 = 10
    UINT64 = 11
    UINTPTR = 12
    FLOAT32 = 13
    FLOAT64 = 14
    COMPLEX64 = 15
    COMPLEX128 = 16
    ARRAY = 17
    CHAN = 18
    FUNC = 19
    INTERFACE = 20
    MAP = 21
    POINTER = 22
    SLICE = 23
    STRING = 24
    STRUCT = 25
    UNSAFE_POINTER = 26


class Member(msgspec.Struct, frozen=True):
    """A struct's field: `offset` in bytes from the struct's start, `type` is for TypeReader."""

    name: str
    offset: int
    type: int


class GoType(msgspec.Struct, frozen=True, kw_only=True):
    """A type; `size` in bytes. `elem`, `key` and `underlying` are offsets for TypeReader, 0: none.

    `elem` is what an array, slice, pointer, map or channel holds; `underlying` the runtime's own
    representation of maps and channels (a pointer) and interfaces (runtime.iface or eface).
    """

    offset: int
    name: str
    kind: GoKind
    size: int
    members: tuple[Member, ...] = ()
    elem: int = 0
    key: int = 0
    count: int = 0
    underlying: int = 0
    runtime_type: int = 0

    def member(self, name: str) -> Member:
        """Raises KeyError where there is no such field."""
        for m in self.members:
            if m.name == name:
                return m
        raise KeyError(f"{self.name}.{name}")

    def repeated(self, count: int) -> GoType:
        """The array of so many; the debug information has no entry of it, so its offset is none."""
        return GoType(
            offset=-(self.offset << 64 | count),
            name=f"[{count}]{self.name}",
            kind=GoKind.ARRAY,
            size=count * self.size,
            elem=self.offset,
            count=count,
        )


UNKNOWN = GoType(offset=0, name="?", kind=GoKind.INVALID, size=0)
_INTEGERS = {(5, 1): GoKind.INT8, (5, 2): GoKind.INT16, (5, 4): GoKind.INT32, (5, 8): GoKind.INT64,
             (7, 1): GoKind.UINT8, (7, 2): GoKind.UINT16, (7, 4): GoKind.UINT32,
             (7, 8): GoKind.UINT64, (2, 1): GoKind.BOOL, (4, 4): GoKind.FLOAT32,
             (4, 8): GoKind.FLOAT64, (6, 1): GoKind.INT8, (8, 1): GoKind.UINT8}  # fmt: skip


class Types(Protocol):
    """Where a type's parts are looked up, by the numbers that it has of them."""

    def at(self, number: int, /) -> GoType: ...


def element_number(types: Types, go_type: GoType) -> int:
    """The number of the type that a slice or an array is made of: some descriptions of slices have
    it in the pointer `array` alone."""
    return go_type.elem or types.at(go_type.member("array").type).elem


class Weights:
    """How many parts types have, however deep; those of one element stand for an array's. `at` may
    give types that are said to be parts of themselves."""

    def __init__(self, at: Callable[[int], GoType]) -> None:
        self._at = at
        self._known: dict[int, int] = {}

    def too_heavy(self, number: int) -> bool:
        """Whether a type has more parts than any has, or no end of them."""
        return self._of(number, 0) >= _TOO_HEAVY

    def _of(self, number: int, depth: int) -> int:
        known = self._known.get(number)
        if known is not None:
            return known
        self._known[number] = _TOO_HEAVY  # until it is known: what contains itself has no end
        try:
            go_type = self._at(number)
        except NotGoError:  # said to whoever asks for that part itself
            go_type = UNKNOWN
        weight = 1 if go_type.size <= _SIZE_LIMIT else _TOO_HEAVY
        if go_type.kind is GoKind.STRUCT:
            inner = [m.type for m in go_type.members]
        else:
            inner = [go_type.elem] if go_type.kind is GoKind.ARRAY else []
        if inner and depth > _DEPTH_LIMIT:
            weight = _TOO_HEAVY
        for part in inner:
            if weight >= _TOO_HEAVY:
                break
            weight += self._of(part, depth + 1)
        self._known[number] = weight
        return weight


class TypeReader:
    """Reads types by their offset in .debug_info, each once.

    Whoever goes down through a type's parts comes to an end: a struct or array that would be a
    part of itself, or of more parts than any has, is given as UNKNOWN is.
    """

    def __init__(
        self,
        die: Callable[[int], Die],
        children: Callable[[Die], Iterator[Die]],
        source: Callable[[], Source] | None = None,
        forget: Callable[[], None] = lambda: None,
    ) -> None:
        """`source` is what entries are read from; after `forget` nothing is told of it that was
        read before."""
        self._die = die
        self._children = children
        self._types: dict[int, GoType] = {0: UNKNOWN}
        self._unchecked: dict[int, GoType] = {0: UNKNOWN}
        self._weights = Weights(self._as_described)
        self._source = source
        self._forget = forget
        self._kept: dict[int, GoType] = {}
        self._look_at = _FEW if source else 0
        self._digest = ""
        self._unsure: frozenset[int] = frozenset()

    def at(self, offset: int) -> GoType:
        type_ = self._types.get(offset)
        if type_ is None:
            type_ = self._as_described(offset)
            if self._weights.too_heavy(offset):
                type_ = GoType(offset=offset, name=type_.name, kind=GoKind.INVALID, size=0)
            self._types[offset] = type_
        return type_

    def _as_described(self, offset: int) -> GoType:
        type_ = self._unchecked.get(offset)
        if type_ is None:
            if len(self._unchecked) == self._look_at:
                self._look_for_kept()
                return self._as_described(offset)
            self._unchecked[offset] = UNKNOWN  # an array may say that it is one of itself
            type_ = self._unchecked[offset] = self._read(offset)
        return type_

    def _look_for_kept(self) -> None:
        """Many types are read: those of the same bytes that were read before; where there are none,
        or many more are read, they will be kept, of bytes that nobody changes any more."""
        if self._source is None:
            return
        first, self._look_at = self._look_at == _FEW, 0
        known = self._source().known() if first else ""
        if known and (kept := load(_ROOM, known, dict[int, GoType])):
            self._kept, self._unchecked = kept, kept | self._unchecked
            self._look_at = len(self._unchecked) + _MANY
            return
        self._forget()
        self._digest = self._source().read()
        self._unsure = frozenset(self._unchecked) - self._kept.keys()

    def keep(self) -> None:
        """For the next look, where many more types were read than are kept."""
        if not self._digest or len(self._unchecked) > _MOST:
            return
        sure = {
            offset: type_
            for offset, type_ in self._unchecked.items()
            if offset not in self._unsure and type_.kind is not GoKind.INVALID
        }
        if len(sure) >= len(self._kept) + _MANY:
            store(_ROOM, self._digest, sure, most=_MOST_KEPT)
        self._digest = ""

    def _read(self, offset: int) -> GoType:
        die = self._die(offset)
        for _ in range(_CHAIN_LIMIT):  # typedefs for C's sake, and C's own qualifiers
            if ix.AT_GO_KIND in die.attributes or die.tag not in (ix.TAG_TYPEDEF, 0x26, 0x35):
                break
            if not integer(die.attributes, ix.AT_TYPE):
                break
            die = self._die(integer(die.attributes, ix.AT_TYPE))
        return self._typed(die)

    def _typed(self, die: Die) -> GoType:
        own = die.attributes
        size = integer(own, ix.AT_BYTE_SIZE)
        kind = self._kind(die.tag, own, size)
        made = GoType(
            offset=die.offset,
            name=text(own, ix.AT_NAME) or "?",
            kind=kind,
            size=size,
            elem=integer(own, ix.AT_GO_ELEM),
            key=integer(own, ix.AT_GO_KEY),
            runtime_type=integer(own, ix.AT_GO_RUNTIME_TYPE),
        )
        target = integer(own, ix.AT_TYPE)
        if die.tag == ix.TAG_TYPEDEF:
            width = 16 if kind == GoKind.INTERFACE else 8
            return replace(made, underlying=target, size=size or width)
        if die.tag in (ix.TAG_STRUCT, ix.TAG_UNION):
            return replace(made, members=self._members(die))
        if die.tag == ix.TAG_ARRAY:
            return self._array(made, die, target)
        if die.tag == ix.TAG_POINTER:
            return replace(made, elem=made.elem or target, size=8)
        if kind in (GoKind.FUNC, GoKind.UNSAFE_POINTER):
            return replace(made, size=8)
        return made

    def _kind(self, tag: int, own: Attributes, size: int) -> GoKind:
        declared = integer(own, ix.AT_GO_KIND) & 31
        if declared and declared <= GoKind.UNSAFE_POINTER:
            return GoKind(declared)
        by_tag = {
            ix.TAG_STRUCT: GoKind.STRUCT,
            ix.TAG_UNION: GoKind.STRUCT,
            ix.TAG_ARRAY: GoKind.ARRAY,
            ix.TAG_POINTER: GoKind.POINTER,
            ix.TAG_SUBROUTINE_TYPE: GoKind.FUNC,
        }
        if tag == ix.TAG_POINTER and not own.get(ix.AT_TYPE):
            return GoKind.UNSAFE_POINTER
        if tag == ix.TAG_ENUM:
            return _INTEGERS.get((7, size), GoKind.INVALID)
        encoding = integer(own, ix.AT_ENCODING)
        return by_tag.get(tag) or _INTEGERS.get((encoding, size), GoKind.INVALID)

    def _members(self, die: Die) -> tuple[Member, ...]:
        members: list[Member] = []
        for child in self._children(die):
            if child.tag == ix.TAG_MEMBER and len(members) < _MEMBER_LIMIT:
                own = child.attributes
                at = own.get(ix.AT_DATA_MEMBER_LOCATION, 0)
                members.append(
                    Member(
                        name=text(own, ix.AT_NAME),
                        offset=at if isinstance(at, int) and 0 <= at < _SIZE_LIMIT else 0,
                        type=integer(own, ix.AT_TYPE),
                    )
                )
        return tuple(members)

    def _array(self, made: GoType, die: Die, target: int) -> GoType:
        count = 0
        for child in self._children(die):
            if child.tag == ix.TAG_SUBRANGE:
                own = child.attributes
                upper = integer(own, ix.AT_UPPER_BOUND, -1)
                count = integer(own, ix.AT_COUNT, upper + 1)
                break
        size = made.size or max(0, count) * self._as_described(target).size
        return replace(made, elem=target, count=max(0, count), size=size)


def part_at(types: TypeReader, go_type: GoType, offset: int) -> tuple[str, GoType, int]:
    """The part of a value at a byte offset: as Go selects it (".next", ".items[3].name"), its type,
    and how many bytes into it the offset is."""
    path = ""
    for _ in range(_PARTS_LIMIT):
        if go_type.kind == GoKind.STRUCT:
            for member in reversed(go_type.members):
                part = types.at(member.type)
                if member.offset <= offset < member.offset + max(part.size, 1):
                    break
            else:
                break
            path += f".{member.name}"
            offset -= member.offset
            go_type = part
        elif go_type.kind == GoKind.ARRAY:
            part = types.at(go_type.elem)
            if not part.size:
                break
            index, offset = divmod(offset, part.size)
            path += f"[{index}]"
            go_type = part
        else:
            break
    return path, go_type, offset


_POINTERS = {
    GoKind.POINTER: (0,), GoKind.UNSAFE_POINTER: (0,), GoKind.MAP: (0,), GoKind.CHAN: (0,),
    GoKind.FUNC: (0,), GoKind.STRING: (0,), GoKind.SLICE: (0,), GoKind.INTERFACE: (0, 8),
}  # fmt: skip
"""At which bytes a value of a kind has pointers."""


def has_pointer_at(kind: GoType, into: int) -> bool:
    """Whether a value that is no aggregate may have a pointer so many bytes into it."""
    return into in _POINTERS.get(kind.kind, ())
