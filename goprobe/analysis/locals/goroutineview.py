"""A goroutine's own frames as a stop has them: `trace` tells variables of threads, and most
goroutines have none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property

from goprobe.analysis.locate.locator import Locator
from goprobe.analysis.trace.stopview import StopView
from goprobe.analysis.trace.trust import Judged, Trust
from goprobe.arch.registers import GENERAL, PC, SP
from goprobe.runtime.goroutines.goroutines import Goroutine
from goprobe.runtime.stacks.alike import Alike
from goprobe.runtime.stacks.frames import FrameView
from goprobe.runtime.stacks.stacks import Stacks
from goprobe.runtime.values.decoded import Limits
from goprobe.runtime.world import World

_LIMITS = Limits(string=256, text=512, elements=16, depth=4, nodes=500)


class GoroutineView(StopView):
    """`registers` are those of the thread that runs it, on its own stack; none of one that is
    parked, whose frames all stand at calls. `judged` and `alike` are what is known of the variables
    of those looked at before."""

    def __init__(
        self,
        world: World,
        goroutine: Goroutine,
        stacks: Stacks,
        locator: Locator,
        registers: Mapping[str, int],
        judged: Judged,
        alike: Alike | None = None,
    ) -> None:
        super().__init__(world, 0, registers, _LIMITS, locator=locator)
        self._own_goroutine = goroutine
        self._stacks = stacks
        self._judged = judged
        self._alike = alike or Alike()

    @cached_property
    def _on(self) -> tuple[Goroutine | None, str]:
        return self._own_goroutine, "own"

    @cached_property
    def _trust(self) -> Trust:
        world = self.world
        return Trust(
            world.program, world.bias, self.registers, self._own_goroutine.pc, self._judged
        )

    def _seen_from(self, world: World) -> StopView:
        view = GoroutineView(
            world,
            self._own_goroutine,
            self._stacks,
            self.locator,
            self.registers,
            self._judged,
            self._alike,
        )
        view._lost = self._lost
        return view

    @cached_property
    def frames(self) -> tuple[FrameView, ...]:
        """As a traceback prints them: the report has the same."""
        return tuple(self._stacks.printed(self._stacks.of_goroutine(self._own_goroutine)))

    def own_frames(self) -> Iterator[tuple[int, FrameView]]:
        """The program's own code alone."""
        return ((i, f) for i, f in super().own_frames() if i or self.is_own(f))


def registers_of(world: World, g: Goroutine) -> dict[str, int]:
    """Of the thread that runs a goroutine, where it is on that one's stack."""
    thread = next((t for t in world.goroutines.threads if t.address == g.m), None)
    state = world.threads.get(thread.tid) if thread and g.status == "running" else None
    if state is None or not g.low <= state.sp < g.high:
        return {}
    known = {name: state.value(name) for name in GENERAL}
    return known | {PC: state.pc, SP: state.sp}
