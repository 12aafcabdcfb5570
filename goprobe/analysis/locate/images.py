"""What else is loaded into a Go process: shared libraries and Go plugins.

The kernel shows which file a page came from, but not that the anonymous pages behind a library's
last file page are its zeroed variables; the library's own program headers, in its first page,
say how far it reaches.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from functools import cached_property

import msgspec

from goprobe.elfheaders import (
    HEADER_SIZE,
    PT_LOAD,
    SEGMENT_SIZE,
    Segment,
    is_elf,
    read_header,
    read_segments,
)
from goprobe.errors import NotGoError, UnreadableError
from goprobe.process.proc.maps import Mapping
from goprobe.process.proc.procfs import PAGE_SIZE
from goprobe.runtime.image.loaded import Loaded, file_key, loaded
from goprobe.runtime.image.modules import Module, Modules
from goprobe.runtime.world import World

_HEADERS_LIMIT = 64
_SIZE_LIMIT = 1 << 47


class Library(msgspec.Struct, frozen=True):
    """An ELF file that is loaded, its zeroed variables included, and where."""

    path: str
    where: Loaded


class Images:
    """The libraries and plugins of one world."""

    def __init__(self, world: World) -> None:
        self._world = world

    @cached_property
    def libraries(self) -> tuple[Library, ...]:
        """Every other ELF file that is loaded, in address order."""
        return tuple(self._libraries())

    def _libraries(self) -> Iterator[Library]:
        coded = {file_key(m) for m in self._world.mappings if m.is_file and "x" in m.perms}
        for m in self._world.mappings:
            if m.offset or not m.is_file or file_key(m) not in coded or m.low in self._world.image:
                continue
            segments = self._segments(m)
            first = next((s for s in segments if s.offset < PAGE_SIZE), None)
            if first is not None:
                bias = m.low - first.address // PAGE_SIZE * PAGE_SIZE
                where = loaded(segments, bias, self._world.mappings)
                if m.low in where:
                    yield Library(m.path, where)

    def _segments(self, first: Mapping) -> list[Segment]:
        """The program headers of the ELF file whose first page is mapped there; none without."""
        read = self._world.memory.read
        try:
            head = read(first.low, HEADER_SIZE)
            if not is_elf(head):
                return []
            header = read_header(head)
            at, size = header.segments_at, header.segments * SEGMENT_SIZE
            if header.segment_size != SEGMENT_SIZE or header.segments > _HEADERS_LIMIT:
                return []
            if at + size > first.size:
                return []
            segments = list(read_segments(read(first.low + at, size)))
        except UnreadableError:
            return []
        return [
            s
            for s in segments
            if s.type == PT_LOAD and s.address < _SIZE_LIMIT and s.file_size <= s.size < _SIZE_LIMIT
        ]

    @cached_property
    def _ordered(self) -> list[tuple[int, int, Library]]:
        return sorted(
            (
                (low, high, library)
                for library in self.libraries
                for low, high in (*library.where.parts, *library.where.zeroed)
            ),
            key=lambda part: part[0],
        )

    def library_at(self, address: int) -> Library | None:
        """The library that is loaded there."""
        at = bisect_right(self._ordered, address, key=lambda part: part[0])
        if at and address < self._ordered[at - 1][1]:
            return self._ordered[at - 1][2]
        return None

    # Go plugins

    def plugin_at(self, address: int) -> Module | None:
        """The plugin whose code or variables are there."""
        others = self._plugins
        return (others.of_code(address) or others.of_data(address)) if len(others) else None

    @cached_property
    def _plugins(self) -> Modules:
        return Modules(tuple(m for m in self._world.modules.all[1:] if not m.bad))

    def function_at(self, pc: int) -> str:
        """The Go function of a plugin that is there, "" for none."""
        try:
            function = self._world.code.function_at(pc)
        except (UnreadableError, NotGoError):
            return ""
        return function.name if function else ""
