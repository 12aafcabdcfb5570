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
from goprobe.runtime.code import Code
from goprobe.runtime.modules import Module, Modules, read_modules
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

    @cached_property
    def modules(self) -> Modules:
        """The program's own module and its plugins."""
        world = self._world
        try:
            return read_modules(world.memory, world.layout, world.roots["firstmoduledata"])
        except (UnreadableError, KeyError) as error:
            return Modules((), f"the modules cannot be read: {error}")

    @cached_property
    def has_plugins(self) -> bool:
        """Hardly any program has one: this costs one read."""
        try:
            return bool(self._world.moduledata.get("next"))
        except (UnreadableError, KeyError):
            return False

    def plugin_at(self, address: int) -> Module | None:
        """The plugin whose code or variables are there."""
        if not self.has_plugins:
            return None
        others = [m for m in self.modules if m["text"] != self._own_text and not m.bad]
        return Modules(tuple(others)).of_code(address) or Modules(tuple(others)).of_data(address)

    @property
    def _own_text(self) -> int:
        return self._world.moduledata["text"]

    @cached_property
    def _code(self) -> Code:
        return Code(self._world.lines, self.modules, self._world.memory)

    def function_at(self, pc: int) -> str:
        """The Go function of a plugin that is there, "" for none."""
        try:
            found = self._code.function_at(pc)
        except (UnreadableError, NotGoError):
            return ""
        return found.name if found else ""
