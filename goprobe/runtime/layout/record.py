"""A typed view of a runtime struct in the target: an address, a layout and its bytes, read once."""

from __future__ import annotations

import struct
from array import array
from collections.abc import Callable, Iterable, Sequence
from itertools import chain, repeat
from operator import itemgetter

from goprobe.errors import UnreadableError
from goprobe.process.memory.memory import Memory, read_packed
from goprobe.runtime.layout.layout import StructLayout


class Record:
    """One struct of the target, copied at one moment.

    `record["sched.sp"]` is a field as an unsigned number (its first eight bytes where it is
    longer); `record.signed(path)` as a signed one; `record.at(path)` the field's own address.
    """

    __slots__ = ("address", "data", "layout")

    def __init__(self, address: int, layout: StructLayout, data: bytes) -> None:
        self.address = address
        self.layout = layout
        self.data = data

    def __getitem__(self, path: str) -> int:
        field = self.layout.fields[path]
        return _number(self.data, field.offset, field.size)

    def signed(self, path: str) -> int:
        field = self.layout.fields[path]
        raw = self.data[field.offset : field.offset + min(field.size, 8)]
        return int.from_bytes(raw, "little", signed=True)

    def word(self, path: str, index: int) -> int:
        """The index-th 8-byte word from a field on: a slice's len is word 1, its cap word 2."""
        at = self.layout.fields[path].offset + 8 * index
        return int.from_bytes(self.data[at : at + 8], "little")

    def words(self, path: str) -> list[int]:
        """An array of 8-byte words, all of it."""
        field = self.layout.fields[path]
        raw = self.data[field.offset : field.offset + field.size // 8 * 8]
        return memoryview(raw).cast("Q").tolist()

    def get(self, path: str, default: int = 0) -> int:
        return self[path] if path in self.layout.fields else default

    def at(self, path: str) -> int:
        return self.address + self.layout.fields[path].offset


def read_record(memory: Memory, layout: StructLayout, address: int) -> Record:
    """Raises UnreadableError where the struct's memory is not there."""
    if not address:
        raise UnreadableError(0, layout.size, f"nil pointer to a {layout.name}")
    return Record(address, layout, memory.read(address, layout.span))


def read_whole(memory: Memory, layout: StructLayout, address: int) -> Record:
    """With all of its arrays. Raises UnreadableError."""
    return Record(address, layout, memory.read(address, layout.size))


def read_records(
    memory: Memory, layout: StructLayout, addresses: Sequence[int]
) -> Iterable[Record]:
    """Many structs of one kind in few reads; those that cannot be read are left out."""
    size = layout.span
    for address, data in zip(
        addresses, memory.read_many([(a, size) for a in addresses]), strict=True
    ):
        if data is not None:
            yield Record(address, layout, data)


_FORMS = {1: "B", 2: "H", 4: "I", 8: "Q"}


def unpacker(places: Sequence[tuple[int, int]]) -> Callable[[bytes], tuple[int, ...]]:
    """Reads numbers of a struct's bytes, each by its offset and size (the first eight bytes where
    it is longer), in one step."""
    made = _form(places)
    if made is None:
        return lambda data: tuple(_number(data, *place) for place in places)
    form, pick = made

    def numbers(data: bytes) -> tuple[int, ...]:
        told: tuple[int, ...] = pick(form.unpack_from(data.ljust(form.size, b"\0")))
        return told

    return numbers


def _form(
    places: Sequence[tuple[int, int]], whole: int = 0
) -> tuple[struct.Struct, Callable[[tuple[int, ...]], tuple[int, ...]]] | None:
    """How to unpack them all at once, of structs of `whole` bytes (0: up to the last of them), and
    how to put them into order; None where they overlap, or are no numbers."""
    parts, at = ["<"], 0
    order = sorted(range(len(places)), key=lambda i: places[i][0])
    for offset, size in (places[i] for i in order):
        size = min(size, 8)
        if offset < at or size not in _FORMS:
            return None
        parts.append(f"{offset - at}x{_FORMS[size]}")
        at = offset + size
    if whole and whole < at:
        return None
    parts.append(f"{max(whole - at, 0)}x")
    return struct.Struct("".join(parts)), itemgetter(*(order.index(i) for i in range(len(places))))


def _number(data: bytes, offset: int, size: int) -> int:
    return int.from_bytes(data[offset : offset + min(size, 8)], "little")


def read_numbers(
    memory: Memory,
    layout: StructLayout,
    addresses: Sequence[int],
    places: Sequence[tuple[int, int]],
) -> Iterable[tuple[int, tuple[int, ...]]]:
    """Of many structs of one kind these numbers, by the struct's address; those that cannot be read
    are left out."""
    size = layout.span
    made = _form(places, size)
    whole = _packed(memory, addresses, size) if made else b""
    if made and whole:  # of a hundred thousand structs
        form, pick = made
        yield from zip(addresses, map(pick, form.iter_unpack(whole)), strict=True)
        return
    numbers = unpacker(places)
    parts = memory.read_many([(address, size) for address in addresses])
    for address, data in zip(addresses, parts, strict=True):
        if data is not None:
            yield address, numbers(data)


def _packed(memory: Memory, addresses: Sequence[int], size: int) -> bytearray:
    """The structs at some addresses, one behind the other; empty where one cannot be read."""
    pairs = array("Q", chain.from_iterable(zip(addresses, repeat(size))))
    buffer, ends = bytearray(size * len(addresses)), range(0, size * len(addresses) + 1, size)
    return buffer if read_packed(memory, memoryview(pairs), ends, buffer) else bytearray()
