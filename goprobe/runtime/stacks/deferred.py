"""Deferred calls that wait for their functions to end: the closures that will be called.

Those in loops, and all of unoptimised code, hang in a list at the goroutine. The others' closures
lie in the frame itself, with a byte of which each bit says that one is to be called (open-coded
defers). Source: src/runtime/panic.go: runOpenDeferFrame (Go 1.21), initOpenCodedDefers (Go 1.22 to
1.27); runtime2.go, _defer.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from goprobe.arch.frames import CALLER_ABOVE_FP, RETURN_ADDRESS
from goprobe.binary.pcln.pcvalue import varint
from goprobe.errors import UnreadableError
from goprobe.process.memory.memory import u64
from goprobe.runtime.goroutines.goroutines import Goroutine
from goprobe.runtime.image.code import Spot
from goprobe.runtime.layout.lists import Lists
from goprobe.runtime.stacks.unwind import MachineFrame
from goprobe.runtime.world import World

_OPEN_CODED = 4  # FUNCDATA_OpenCodedDeferInfo, internal/abi/symtab.go, Go 1.21 to 1.27
_MOST_OPEN = 8  # maxOpenDefers, cmd/compile/internal/walk, Go 1.21 to 1.27: the bits of a byte
_MOST_LISTED = 1 << 10
_LONGEST = 5  # bytes of a varint of 32 bits
_WORD = 8


class DeferredCall(msgspec.Struct, frozen=True):
    """`closure` is the address of what will be called, `function` that of its code."""

    closure: int
    function: int


class _OpenCoded(msgspec.Struct, frozen=True):
    """Distances below the frame's variables (varp): of the byte of bits, and of the closures."""

    bits: int
    closures: tuple[int, ...]


class Deferred:
    """Reads them of one process."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._known: dict[int, _OpenCoded | None] = {}
        # Up to Go 1.21 each closure has a place of its own; that release has this field still.
        self._apart = world.layout.has("_defer", "_panic")

    def may_tell(self, pc: int) -> bool:
        """Whether the function at a pc has any."""
        spot = self._world.code.spot(pc)
        return spot is not None and bool(spot.function.deferreturn)

    def calls(self, g: Goroutine, frames: Sequence[MachineFrame]) -> Iterator[DeferredCall]:
        """Those of one goroutine that can be read."""
        yield from self._listed(g)
        for frame in frames:
            if frame.spot is not None and not frame.trap:
                yield from self._open_coded(frame, frame.spot)

    def _listed(self, g: Goroutine) -> Iterator[DeferredCall]:
        world = self._world
        if not world.layout.has("_defer"):
            return
        try:
            at = u64(world.memory, g.address + world.layout.offset("g", "_defer"))
        except UnreadableError:
            return
        records = Lists(world.memory).follow(world.layout.struct("_defer"), at, "link")
        for _, record in zip(range(_MOST_LISTED), records, strict=False):
            if record["fn"]:
                yield from self._call(record["fn"])

    def _open_coded(self, frame: MachineFrame, spot: Spot) -> Iterator[DeferredCall]:
        known = self._places(spot)
        if known is None:
            return
        varp = frame.cfa - RETURN_ADDRESS - (CALLER_ABOVE_FP if spot.size > 0 else 0)
        memory = self._world.memory
        try:
            bits = memory.read(varp - known.bits, 1)[0]
            waiting = [place for i, place in enumerate(known.closures) if bits >> i & 1]
            closures = [u64(memory, varp - place) for place in waiting]
        except UnreadableError:
            return
        for closure in closures:
            yield from self._call(closure)

    def _call(self, closure: int) -> Iterator[DeferredCall]:
        try:
            yield DeferredCall(closure, u64(self._world.memory, closure))
        except UnreadableError:
            return

    def _places(self, spot: Spot) -> _OpenCoded | None:
        entry = spot.function.entry
        if entry not in self._known:
            try:
                self._known[entry] = self._read(spot)
            except (UnreadableError, ValueError):
                self._known[entry] = None
        return self._known[entry]

    def _read(self, spot: Spot) -> _OpenCoded | None:
        table = spot.function.table
        at = table.funcdata(spot.function, _OPEN_CODED)
        if not at:
            return None
        raw = table.read_funcdata(at, (2 + _MOST_OPEN * self._apart) * _LONGEST)
        bits, at = varint(raw, 0)
        second, at = varint(raw, at)
        if not self._apart:
            return _OpenCoded(bits, tuple(second - i * _WORD for i in range(_MOST_OPEN)))
        closures = list[int]()
        for _ in range(min(second, _MOST_OPEN)):
            place, at = varint(raw, at)
            closures.append(place)
        return _OpenCoded(bits, tuple(closures))
