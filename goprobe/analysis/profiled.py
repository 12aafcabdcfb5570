"""Sampled stacks as they are reported."""

from __future__ import annotations

from collections.abc import Sequence

from goprobe.binary.pcln.format import SourceFrame
from goprobe.model.address import Address
from goprobe.model.sites import SiteFrame
from goprobe.runtime.profiles.frames import frames_of, of_runtime
from goprobe.runtime.world import World


def call_sites(world: World, stack: Sequence[int]) -> tuple[tuple[SiteFrame, ...], int]:
    """A stack as it is reported, and how many of its frames are the allocator's."""
    hidden = of_runtime(world, stack)
    own, rest = frames_of(world, stack[:hidden]), frames_of(world, stack[hidden:])
    frames = frames_of(world, stack)
    made = tuple(_frame(world, f) for f in frames)
    return made, min(len(own), len(frames) - len(rest))


def _frame(world: World, frame: SourceFrame) -> SiteFrame:
    shown = world.shown_name(frame.function)
    return SiteFrame(
        function=shown,
        file=frame.file,
        line=frame.line,
        pc=Address(frame.pc),
        inlined=frame.inlined,
        symbol=frame.function if frame.function != shown else "",
        start=frame.start_line,
    )
