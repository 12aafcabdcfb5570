"""A Go binary as goprobe knows it before any process runs: code, types, layouts, roots."""

from __future__ import annotations

from functools import cached_property

from goprobe.binary.buildinfo import BuildInfo, GoVersion, read_buildinfo
from goprobe.binary.cache import cached
from goprobe.binary.dwarf import DebugInfo
from goprobe.binary.elf import PT_LOAD, ElfFile
from goprobe.errors import NotGoError
from goprobe.runtime.layout import Facts, layout_from_debug, roots_from_debug

_FACTS_ROOM = "facts-1"


class Program:
    """A binary opened once. All addresses are link-time addresses (add the load bias).

    Raises NotGoError where it is no Go program that goprobe can read.
    """

    def __init__(self, elf: ElfFile) -> None:
        self.elf = elf
        self.info: BuildInfo = read_buildinfo(elf)
        self.debug = DebugInfo(elf)

    @property
    def go(self) -> GoVersion:
        return self.info.go

    @property
    def stripped(self) -> bool:
        return not self.debug.present

    @cached_property
    def facts(self) -> Facts:
        """Layouts and roots, from the cache where this binary was seen before."""
        if self.stripped:
            raise NotGoError(
                f"{self.elf.shown_as} is stripped: it carries no debug information",
                hint="build it without -ldflags=-s or -w",
            )
        return cached(_FACTS_ROOM, self.elf.cache_key, Facts, self._facts)

    def _facts(self) -> Facts:
        return Facts(layout_from_debug(self.debug, str(self.go)), roots_from_debug(self.debug))

    @cached_property
    def image(self) -> tuple[int, int]:
        """[low, high) of the loaded image at link-time addresses, page-aligned below."""
        loads = [s for s in self.elf.segments if s.type == PT_LOAD]
        low = min((s.address for s in loads), default=0) & ~0xFFF
        return low, max((s.address + s.size for s in loads), default=0)
