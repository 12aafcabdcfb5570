"""Values as a condition needs them, read where a thread stands at a breakpoint, and nothing made of
what the condition does not ask for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Self

import msgspec

from goprobe.api.script.gonumbers import Number, made
from goprobe.arch.registers import SP_WORD, WORD, WORDS
from goprobe.binary.dwarf.gotypes import GoKind, GoType, TypeReader, element_number
from goprobe.process.calltracer.plan import Hit
from goprobe.runtime.values.scalars import SIGNED, UNSIGNED, scalar
from goprobe.runtime.values.storage import InBytes

_INTEGERS = SIGNED | UNSIGNED | {GoKind.UINTPTR}
_FLOATS = {GoKind.FLOAT32, GoKind.FLOAT64}
_NAMES = {kind: kind.name.lower() for kind in (*_INTEGERS, *_FLOATS)}
_NILABLE = {GoKind.POINTER, GoKind.SLICE, GoKind.MAP, GoKind.CHAN, GoKind.FUNC, GoKind.INTERFACE}
"""What is nil where its first word is 0: an interface's leads to the type of what it holds."""
_STRING_LIMIT = 1 << 16
_SIZE_LIMIT = 1 << 12
_MASK = (1 << 64) - 1


class NotInPlaceError(Exception):
    """This takes a look at the whole stop."""


class SlotPiece(msgspec.Struct, frozen=True):
    """Bytes of a variable: in a register, or (that is "") so far above the stack pointer."""

    size: int
    register: str = ""
    offset: int = 0


class Slot(msgspec.Struct, frozen=True):
    """Where a variable lies whenever a thread stands at some pc: in registers, or in one piece on
    the stack."""

    type: GoType
    pieces: tuple[SlotPiece, ...]


class Text(bytes):
    """The bytes of a string, and its type."""

    type: str

    def __new__(cls, raw: bytes, type_name: str) -> Self:
        made = super().__new__(cls, raw)
        made.type = type_name
        return made


class Typed(msgspec.Struct, frozen=True):
    """A truth value, a complex number or nil, and its type."""

    value: bool | complex | None
    kind: str
    type: str


Load = Callable[[int, int], bytes]
"""Bytes of a value, from an offset."""


class InPlace:
    """What has parts: a struct, a pointer, an array, a slice. nil equals None."""

    __slots__ = ("_hit", "_load", "_type", "_types")

    def __init__(self, go_type: GoType, load: Load, hit: Hit, types: TypeReader) -> None:
        self._type, self._load, self._hit, self._types = go_type, load, hit, types

    def __getitem__(self, key: object) -> object:
        if self._type.kind is GoKind.POINTER:
            return self.led_to()[key]
        if isinstance(key, str) and self._type.kind is GoKind.STRUCT:
            for member in self._type.members:
                if member.name == key:
                    return self._part(self._types.at(member.type), member.offset)
        if isinstance(key, int) and not isinstance(key, bool):
            return self._element(key)
        raise NotInPlaceError

    def _element(self, index: int) -> object:
        if not 0 <= index < len(self):
            raise NotInPlaceError
        if self._type.kind is GoKind.ARRAY:
            element = self._types.at(self._type.elem)
            return self._part(element, index * element.size)
        types = self._types
        element = types.at(element_number(types, self._type))
        base = _number(self._load(0, WORD)) + index * element.size
        return value_of(element, _at(self._hit, base), self._hit, types)

    def _part(self, go_type: GoType, offset: int) -> object:
        load = self._load
        return value_of(go_type, lambda at, size: load(offset + at, size), self._hit, self._types)

    def led_to(self) -> InPlace:
        address = _number(self._load(0, WORD))
        target = self._types.at(self._type.elem)
        if not address or target.kind is GoKind.POINTER:
            raise NotInPlaceError
        return InPlace(target, _at(self._hit, address), self._hit, self._types)

    def __len__(self) -> int:
        if self._type.kind is GoKind.ARRAY:
            return self._type.count
        if self._type.kind is not GoKind.SLICE:
            raise NotInPlaceError
        return _number(self._load(WORD, WORD), signed=True)

    def __eq__(self, other: object) -> bool:
        if other is not None or self._type.kind not in _NILABLE:
            raise NotInPlaceError
        return not _number(self._load(0, WORD))

    __hash__ = None  # type: ignore[assignment]


def variable(slot: Slot, hit: Hit, types: TypeReader) -> object:
    """What a variable is where a thread stands."""
    if not slot.pieces[0].register:
        base = (hit.words[SP_WORD] + slot.pieces[0].offset) & _MASK
        return value_of(slot.type, _at(hit, base), hit, types)
    raw = b"".join(
        hit.words[WORDS[piece.register]].to_bytes(WORD, "little")[: piece.size]
        for piece in slot.pieces
    )
    return value_of(slot.type, lambda at, size: raw[at : at + size], hit, types)


def _at(hit: Hit, base: int) -> Load:
    def load(offset: int, size: int) -> bytes:
        raw = hit.read(base + offset, size) if size <= _SIZE_LIMIT else b""
        if len(raw) < size:
            raise NotInPlaceError
        return raw

    return load


def value_of(go_type: GoType, load: Load, hit: Hit, types: TypeReader) -> object:
    """Numbers, truth values and strings as operands."""
    kind = go_type.kind
    if kind in _INTEGERS:
        number = _number(load(0, go_type.size), signed=kind in SIGNED)
        return Number(number, _NAMES[kind], go_type.name)
    if kind is GoKind.BOOL:
        return Typed(load(0, 1) != b"\0", "bool", go_type.name)
    if kind in _FLOATS:  # as Go prints it, which is what a Value compares
        told = float(scalar(go_type, InBytes(load(0, go_type.size))))
        return made(told, _NAMES[kind], go_type.name)
    if kind is GoKind.STRING:
        return Text(_text(load(0, 2 * WORD), hit), go_type.name)
    return InPlace(go_type, load, hit, types)


def _text(header: bytes, hit: Hit) -> bytes:
    address, length = _number(header[:WORD]), _number(header[WORD:])
    raw = hit.read(address, length) if 0 < length <= _STRING_LIMIT else b""
    if len(raw) != length:
        raise NotInPlaceError
    return raw


def _number(raw: bytes, *, signed: bool = False) -> int:
    return int.from_bytes(raw, "little", signed=signed)
