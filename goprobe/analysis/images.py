"""What else is loaded into a Go process: shared libraries and Go plugins.

The kernel shows which file a page came from, but not that the anonymous pages behind a library's
last file page are its zeroed variables; the library's own program headers, in its first page,
say how far it reaches.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from functools import cached_property

import msgspec

from goprobe.binary.elf import PT_LOAD
from goprobe.errors import NotGoError, UnreadableError
from goprobe.process.maps import Mapping
from goprobe.process.procfs import PAGE_SIZE
from goprobe.runtime.modules import Module, Modules
from goprobe.runtime.world import World

_HEADERS_LIMIT = 64
_HEADER = 64
_PROGRAM_HEADER = struct.Struct("<II6Q")


class Library(msgspec.Struct, frozen=True):
    """An ELF file loaded at [low, high), its zeroed variables included."""

    low: int
    high: int
    path: str


class Images:
    """The libraries and plugins of one world."""

    def __init__(self, world: World) -> None:
        self._world = world

    @cached_property
    def executable_inodes(self) -> set[tuple[str, int]]:
        return {(m.device, m.inode) for m in self._world.mappings if m.inode and "x" in m.perms}

    @cached_property
    def libraries(self) -> tuple[Library, ...]:
        """Every other ELF file that is mapped with code, in address order."""
        return tuple(self._libraries())

    def _libraries(self) -> Iterator[Library]:
        own, _ = self._world.program.image
        for m in self._world.mappings:
            if m.offset or (m.device, m.inode) not in self.executable_inodes:
                continue
            high = self._end(m)
            if high > m.low and m.low != own + self._world.bias:
                yield Library(m.low, high, m.path)

    def _end(self, first: Mapping) -> int:
        """Where the ELF file whose first page is mapped there ends; 0 where it is none."""
        read = self._world.memory.read
        try:
            header = read(first.low, _HEADER)
            at, size, count = (
                int.from_bytes(header[i : i + n], "little") for i, n in ((32, 8), (54, 2), (56, 2))
            )
            if header[:4] != b"\x7fELF" or size != _PROGRAM_HEADER.size or count > _HEADERS_LIMIT:
                return 0
            if at + count * size > first.size:
                return 0
            headers = list(_PROGRAM_HEADER.iter_unpack(read(first.low + at, count * size)))
        except UnreadableError:
            return 0
        loads = [(address, length) for kind, _, _, address, _, _, length, _ in headers
                 if kind == PT_LOAD]  # fmt: skip
        low = min((a for a, _ in loads), default=0) & -PAGE_SIZE
        length = max((a + n for a, n in loads), default=0) - low
        return first.low + length + -length % PAGE_SIZE if 0 < length < 1 << 40 else 0

    def library_at(self, address: int) -> Library | None:
        return next((lib for lib in self.libraries if lib.low <= address < lib.high), None)

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
            found = self._world.code.function_at(pc)
        except (UnreadableError, NotGoError):
            return ""
        return found.name if found else ""
