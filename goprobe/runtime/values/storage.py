"""Where a value's bytes come from: memory at an address, or pieces out of registers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import msgspec

from goprobe.counts import counted
from goprobe.errors import UnreadableError
from goprobe.process.memory.memory import Memory


class LeftOutError(UnreadableError):
    """The optimiser kept these bytes of the value nowhere; `address` is their offset in it."""


class Keeper(Protocol):
    """What is known of the words of a frame that hold pointers."""

    def lost(self, address: int, pointer: int) -> str:
        """Why nothing is to be told of what the pointer in the word at an address leads to; ""
        where the runtime has kept it."""

    def beyond(self, address: int, pointer: int) -> Keeper | None:
        """Of what the pointer in the word at an address leads to; None where that is no frame's,
        or the runtime has kept all of it."""


class Storage(Protocol):
    """A value's bytes. `address` is None where the value lies in no memory."""

    @property
    def address(self) -> int | None: ...

    def read(self, offset: int, size: int) -> bytes:
        """Bytes of the value; raises UnreadableError where they are not there."""

    def part(self, offset: int, size: int) -> Storage:
        """The place of a field or element."""

    def look(self) -> None:
        """Raises UnreadableError where nothing at all of the value can be read."""

    def lost(self, offset: int, pointer: int) -> str:
        """As `Keeper.lost`, of the pointer at an offset."""

    def beyond(self, offset: int, pointer: int) -> Keeper | None:
        """As `Keeper.beyond`, of the pointer at an offset."""


class InMemory(msgspec.Struct, frozen=True):
    """A value at an address of the target; `keeper` where that is in a frame."""

    memory: Memory
    address: int
    keeper: Keeper | None = None

    def read(self, offset: int, size: int) -> bytes:
        return self.memory.read(self.address + offset, size)

    def part(self, offset: int, size: int) -> InMemory:
        return InMemory(self.memory, self.address + offset, self.keeper)

    def look(self) -> None:
        self.memory.read(self.address, 1)

    def lost(self, offset: int, pointer: int) -> str:
        return self.keeper.lost(self.address + offset, pointer) if self.keeper else ""

    def beyond(self, offset: int, pointer: int) -> Keeper | None:
        return self.keeper.beyond(self.address + offset, pointer) if self.keeper else None


class InBytes(msgspec.Struct, frozen=True):
    """A value put together from registers; `missing` are the bytes that no register holds.
    `homes` are the places in the frame that parts of it (by offset) came from."""

    data: bytes
    missing: frozenset[int] = frozenset()
    address: int | None = None
    homes: Mapping[int, Storage] = {}

    def read(self, offset: int, size: int) -> bytes:
        if offset + size > len(self.data):
            raise UnreadableError(offset, size, "past the value's end")
        if not self.missing.isdisjoint(range(offset, offset + size)):
            raise LeftOutError(offset, size, "this part was optimised out")
        return self.data[offset : offset + size]

    def part(self, offset: int, size: int) -> InBytes:
        lost = frozenset(m - offset for m in self.missing if offset <= m < offset + size)
        homes = {at - offset: home for at, home in self.homes.items()}
        return InBytes(self.data[offset : offset + size], lost, homes=homes)

    def look(self) -> None:
        if len(self.missing) == len(self.data):
            raise LeftOutError(0, len(self.data), "the optimiser kept no part of it")

    def lost(self, offset: int, pointer: int) -> str:
        home = self.homes.get(offset)
        return home.lost(0, pointer) if home else ""

    def beyond(self, offset: int, pointer: int) -> Keeper | None:
        home = self.homes.get(offset)
        return home.beyond(0, pointer) if home else None


def words(place: Storage, count: int) -> list[int]:
    """The first `count` words of a value."""
    raw = place.read(0, 8 * count)
    return [int.from_bytes(raw[i : i + 8], "little") for i in range(0, 8 * count, 8)]


def must_be_kept(place: Storage, offset: int, pointer: int) -> None:
    """Raises UnreadableError where a pointer may be another by now than the program put there:
    what is the heap's may have been the stack that it led into."""
    if lost := place.lost(offset, pointer):
        raise UnreadableError(pointer, 0, lost)


def must_all_be_kept(place: InMemory, size: int) -> None:
    """Raises UnreadableError where one of the words of a value may be such a pointer."""
    if place.keeper:
        for i, word in enumerate(words(place, size // 8)):
            must_be_kept(place, 8 * i, word)


def must_end_in_memory(memory: Memory, pointer: int, size: int, header: str) -> None:
    """A length that leads out of memory is none: the header is stale, or damaged."""
    try:
        memory.read(pointer + size - 1, 1)
    except UnreadableError:
        why = (
            f"a {header} header of {counted(size, 'byte')}, which do not lie in memory to their end"
        )
        raise UnreadableError(pointer, size, why) from None
