"""A channel's header: runtime.hchan (src/runtime/chan.go, Go 1.21 to 1.27)."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from goprobe.binary.dwarf.gotypes import GoType, Types
from goprobe.errors import UnreadableError
from goprobe.process.memory.memory import Memory

_MOST = 1 << 40


class Channel(msgspec.Struct, frozen=True):
    """`buffer` is where its ring of `capacity` elements begins, `first` the oldest one's index."""

    header: GoType
    count: int
    capacity: int
    closed: bool
    buffer: int
    first: int

    def slots(self, most: int) -> Iterator[int]:
        """The ring's indices of its elements, the oldest one first."""
        for i in range(min(self.count, most)):
            yield (self.first + i) % self.capacity


def read_channel(memory: Memory, types: Types, go_type: GoType, pointer: int) -> Channel:
    """Raises UnreadableError where what is there is no channel."""
    header = types.at(types.at(go_type.underlying).elem)

    def number(name: str) -> int:
        member = header.member(name)
        size = min(8, types.at(member.type).size)
        return int.from_bytes(memory.read(pointer + member.offset, size), "little")

    count, capacity = number("qcount"), number("dataqsiz")
    if count > capacity or capacity > _MOST:
        raise UnreadableError(pointer, header.size, "a channel that counts wrongly")
    return Channel(header, count, capacity, bool(number("closed")), number("buf"), number("recvx"))
