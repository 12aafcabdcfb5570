"""Addresses in memory of glibc's malloc, as its own words there say: what C code asked for."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable
from functools import cached_property

from goprobe.analysis.locate.identify_base import AddressSpace
from goprobe.errors import UnreadableError
from goprobe.model.address import Address
from goprobe.model.location import CMemory, Detail, Kind, Location
from goprobe.process.glibcmalloc import MallocMemory, glibc_malloc
from goprobe.process.proc.maps import Mapping


class OfMalloc:
    """Nothing, without C in the process."""

    def __init__(self, space: AddressSpace, ends: Callable[[], Iterable[int]]) -> None:
        """`ends`: where memory of others ends."""
        self._space = space
        self._world = space.world
        self._ends = ends

    @cached_property
    def pieces(self) -> tuple[MallocMemory, ...]:
        world = self._world
        if not world.has_c:
            return ()
        mappings = [m for m in world.mappings if m.is_file or not self._is_go_memory(m)]
        return glibc_malloc(world.memory, mappings, sorted(self._ends()))

    def _is_go_memory(self, mapping: Mapping) -> bool:
        try:
            return self._world.heap.arena_at(mapping.low) is not None
        except UnreadableError:
            return False

    def identify(self, address: int) -> Location | None:
        at = bisect_right(self.pieces, address, key=lambda piece: piece.low)
        piece = self.pieces[at - 1] if at else None
        if piece is None or address >= piece.high:
            return None
        what = CMemory.ARENA if piece.of_arena else CMemory.LARGE_BLOCK
        known = (
            f"the header of a heap of glibc's malloc (heap_info) is at {piece.low:#x}"
            if piece.of_arena
            else f"a chunk of glibc's malloc that has a mapping of its own begins at {piece.low:#x}"
        )
        detail: Detail = {
            "what": what.value,
            "low": Address(piece.low),
            "high": Address(piece.high),
        }
        return self._space.location(Kind.C_HEAP, address, what.value, detail, known)
