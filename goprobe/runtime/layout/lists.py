"""Linked lists of the runtime's, followed as far as they make sense."""

from __future__ import annotations

from collections.abc import Iterator

from goprobe.errors import UnreadableError
from goprobe.process.memory.memory import Memory
from goprobe.runtime.layout.layout import StructLayout
from goprobe.runtime.layout.record import Record, read_record

_LIMIT = 1 << 22


class Lists:
    """Some lists of which no two share a node. `broken` says how one of them leads astray, ""
    where all end as they should."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._seen: set[int] = set()
        self.broken = ""

    def follow(self, layout: StructLayout, first: int, link: str) -> Iterator[Record]:
        """The structs of a list that begins at `first` and goes on at each one's field `link`."""
        at = first
        while at:
            if at in self._seen or len(self._seen) >= _LIMIT:
                self.broken = f"a list of {layout.name} comes to {at:#x} once more"
                return
            self._seen.add(at)
            try:
                record = read_record(self._memory, layout, at)
            except UnreadableError:
                self.broken = f"a list of {layout.name} leads to {at:#x}, where none can be read"
                return
            yield record
            at = record[link]
