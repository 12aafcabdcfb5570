"""What the runtime has kept of the pointers in a goroutine's frames, at one stop.

A pointer that no stack map names is left as it is when the stack moves, and what it leads to may
be freed. What it says is still so where nothing was collected yet and no stack of the goroutine
can have become anything else; where the code put the address of a variable there which is that one;
and where it was passed to the function that is being called, which has kept it since.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from itertools import islice

from goprobe.arch.code import FrameSlot
from goprobe.errors import UnreadableError
from goprobe.model.location import Kind, Location
from goprobe.process.memory.memory import u64, word_at
from goprobe.runtime.goroutines.goroutines import PARKED, Goroutine
from goprobe.runtime.layout.lists import Lists
from goprobe.runtime.stacks.frames import FrameView
from goprobe.runtime.values.functionvars import FunctionVariables
from goprobe.runtime.values.keptwords import KeptWords
from goprobe.runtime.values.storage import Keeper
from goprobe.runtime.world import World

_WORD = 8
_POOLED = 32 << 10
"""Stacks of less come from spans of stacks of their size and go back there; larger ones are the
heap's own pages as soon as they are left (src/runtime/stack.go, stackalloc, stackfree)."""
_CHANGES = frozenset(
    {Kind.HEAP, Kind.GOROUTINE_STACK, Kind.SYSTEM_STACK, Kind.RUNTIME, Kind.RESERVED}
)
"""What the pages of the heap's arenas may be by turns."""
_OUTERMOST = "runtime.goexit"  # so the whole stack was walked
_REMEMBERED = 1 << 10  # goroutines
_MOST_CASES = 1 << 16  # of a select (reflect.rselect, runtime/select.go)
_OPERATIONS = frozenset(
    {"runtime.chanrecv1", "runtime.chanrecv2", "runtime.chansend1", "runtime.selectgo"}
)
"""What the compiler has a program call for them (chan.go, select.go, Go 1.21 to 1.27)."""
_UNUSED = "its function does not use this pointer any more"


class Cycle:
    """Which frames there were at every stop since the last collection that had come to its end:
    others came to be since then, and what they hold was in use then or is newer. What a collection
    leaves is freed after its number is counted (src/runtime/mgc.go, gcMarkTermination)."""

    def __init__(self) -> None:
        self._number = -1
        self._always: dict[int, frozenset[tuple[int, int]]] = {}

    def note(self, number: int, goroutine: int, frames: frozenset[tuple[int, int]]) -> None:
        """The frames of a goroutine at a stop: how far below the stack's high end each ends, and
        where its function begins."""
        if number != self._number or len(self._always) > _REMEMBERED:
            self._number, self._always = number, {}
        self._always[goroutine] = self._always.get(goroutine, frames) & frames

    def is_newer(self, goroutine: int, frame: tuple[int, int]) -> bool:
        return goroutine in self._always and frame not in self._always[goroutine]


class Keeping:
    """Of one goroutine. `locate` says where an address lies; `cycle` is told of its frames."""

    def __init__(
        self,
        world: World,
        goroutine: Goroutine,
        locate: Callable[[int], Location],
        frames: Sequence[FrameView],
        cycle: Cycle,
    ) -> None:
        self._world = world
        self._goroutine = goroutine
        self._locate = locate
        self._frames = frames
        self._cycle = cycle
        number = self._collections
        self.collected = number != 0
        """Whether a collection may have freed anything."""
        if frames and frames[-1].function == _OUTERMOST and number >= 0:
            keys = frozenset(self._key(frame) for frame in frames if not frame.inlined)
            cycle.note(number, goroutine.id, keys)

    def _key(self, frame: FrameView) -> tuple[int, int]:
        function = self._world.code.function_at(frame.lookup)
        return self._goroutine.high - frame.cfa, function.entry if function else 0

    def of(self, frame: FrameView) -> FrameKeeper | None:
        """None for a frame on another stack, or of unknown code."""
        world = self._world
        function = world.program.debug.function_at(frame.lookup - world.bias)
        if function is None or not self.is_on_own_stack(frame.sp):
            return None
        return FrameKeeper(self, frame, world.bias, world.program.function_variables(function))

    def callee_of(self, frame: FrameView) -> FrameKeeper | None:
        """Of the function that a frame has called."""
        called = (f for f in self._frames if not f.inlined and f.cfa == frame.sp)
        callee = next(called, None)
        return None if callee is None or frame.interrupted else self.of(callee)

    def word(self, address: int) -> int:
        return word_at(self._world.memory, address)

    def lost(self, address: int, pointer: int) -> str:
        """As `Keeper.lost`, of a word wherever it lies."""
        told = [keeper.lost(address, pointer) for keeper in self._at(address)]
        return told[-1] if told and all(told) else ""

    def beyond(self, address: int, pointer: int) -> Keeper | None:
        """As `Keeper.beyond`, of a word wherever it lies."""
        led = [keeper.beyond(address, pointer) for keeper in self._at(address)]
        return led[-1] if led and all(led) else None

    def _at(self, address: int) -> Sequence[FrameKeeper]:
        """Of the frame that an address lies in, and of the one that was passed what lies there."""
        if not self.is_on_own_stack(address):
            return ()
        callee: FrameView | None = None
        for frame in self._frames:
            if not frame.inlined and frame.sp <= address < frame.cfa:
                keepers = (self.of(f) for f in (callee, frame) if f is not None)
                return [keeper for keeper in keepers if keeper is not None]
            callee = callee if frame.inlined else frame
        return ()

    @cached_property
    def channels(self) -> frozenset[int]:
        """Those that the goroutine hangs in."""
        world, g = self._world, self._goroutine
        if g.status not in PARKED or not world.layout.has("sudog", "c"):
            return frozenset()
        first = self.word(g.address + world.layout.offset("g", "waiting"))
        sudogs = Lists(world.memory).follow(world.layout.struct("sudog"), first, "waitlink")
        own = (s for s in islice(sudogs, _MOST_CASES) if s["g"] == g.address)
        return frozenset(s["c"] or s.word("c", 1) for s in own) - {0}

    @property
    def _collections(self) -> int:
        """How many there were, -1 where that is not known, or says nothing: by an experiment the
        compiler has memory freed between them (runtime.freegc, Go 1.26 on)."""
        world = self._world
        if "freegc" in world.program.info.settings.get("GOEXPERIMENT", ""):
            return -1
        try:
            struct = world.layout.struct("mstats")
            at = world.roots["memstats"] + struct.offset("numgc")
            return u64(world.memory, at) & 0xFFFFFFFF
        except (UnreadableError, KeyError):
            return -1

    def is_intact(self, frame: FrameView) -> bool:
        """Whether nothing was freed since a frame came to be."""
        return not self.collected or self._cycle.is_newer(self._goroutine.id, self._key(frame))

    def may_be_lost(self, pointer: int, frame: FrameView) -> bool:
        """Whether a pointer that is not kept may be another than it was, or lead to what is."""
        location, g = self._locate(pointer), self._goroutine
        if location.kind not in _CHANGES:
            return False
        # Where nothing is collected stacks only grow: this one was never larger.
        small = g.high - g.low <= _POOLED and self.is_intact(frame)
        return not (small and (location.kind is Kind.HEAP or self.is_own(location)))

    def is_on_own_stack(self, pointer: int) -> bool:
        return self._goroutine.low <= pointer < self._goroutine.high

    def is_own(self, location: Location) -> bool:
        """Whether it is on the goroutine's own stack."""
        on_stack = location.kind is Kind.GOROUTINE_STACK
        return on_stack and location.detail.get("goroutine") == self._goroutine.id

    def is_adjusted(self, pointer: int, frame: FrameView) -> bool:
        """Whether a pointer that moves of the stack have adjusted is right by that."""
        location = self._locate(pointer)
        return self.is_own(location) or (location.kind is Kind.HEAP and self.is_intact(frame))

    def why(self, pointer: int) -> str:
        if self._locate(pointer).kind is Kind.HEAP:
            return f"{_UNUSED}: what it led to may have been freed"
        return f"{_UNUSED}: the stack that it leads into may have moved"


class FrameKeeper:
    """What is known of one frame's words."""

    def __init__(
        self, keeping: Keeping, frame: FrameView, bias: int, about: FunctionVariables
    ) -> None:
        self._keeping, self._frame, self._about = keeping, frame, about
        self._pc = frame.pc - bias
        self._lookup = frame.lookup - bias

    def lost(self, address: int, pointer: int) -> str:
        if not pointer or not self._keeping.may_be_lost(pointer, self._frame):
            return ""
        kept, place = self._about.kept, address - self._frame.cfa
        if (
            self._is_kept(kept, place)
            or (
                kept.is_adjusted(place)
                and not self._is_dead()
                and self._keeping.is_adjusted(pointer, self._frame)
            )
            or self._is_own_address(place, pointer)
            or self._is_passed(place, pointer)
        ):
            return ""
        return self._keeping.why(pointer)

    def beyond(self, address: int, pointer: int) -> Keeper | None:
        """What lies in a frame is kept as long as a pointer to it is (mgcmark.go, scanstack, of
        stack objects): one may be right and yet be none of these."""
        place = address - self._frame.cfa
        if (
            not self._keeping.is_on_own_stack(pointer)
            or self._is_kept(self._about.kept, place)
            or self._is_passed(place, pointer)
        ):
            return None
        return self._keeping

    def _is_kept(self, kept: KeptWords, place: int) -> bool:
        frame = self._frame
        if not (frame.innermost or frame.interrupted):
            return kept.at_call(place, self._pc)
        if frame.faulted and not kept.after_fault(place):
            return False
        return kept.since_calls(place, self._pc)

    def _is_dead(self) -> bool:
        """Whether it faulted and goes on nowhere: then nothing in it is adjusted."""
        return self._frame.faulted and not self._about.goes_on

    def _is_own_address(self, place: int, pointer: int) -> bool:
        """Whether the code put an address of this very frame there, which is that one."""
        return self._about.address_at(place, self._lookup) == pointer - self._frame.cfa

    def _is_passed(self, place: int, pointer: int) -> bool:
        """Whether the pointer was in use until the call that is running, and what was passed in
        that call is the same pointer and has been kept since."""
        call = self._about.flow.call_at(self._lookup)
        if self._frame.innermost or call is None or not self._about.kept.since_calls(place, call):
            return False
        callee = self._keeping.callee_of(self._frame)
        return callee is not None and (callee.was_passed(pointer) or callee.waits_on(pointer))

    def waits_on(self, pointer: int) -> bool:
        """Whether it is an operation on channels, and the goroutine hangs in that one by it: the
        runtime keeps it until the operation ends (chan.go, select.go)."""
        return self._frame.function in _OPERATIONS and pointer in self._keeping.channels

    def was_passed(self, pointer: int) -> bool:
        """Whether a pointer was passed and is in use from then on: what is in use now, and was
        never given another value, was so at all times since."""
        kept = self._about.kept
        return any(
            self._keeping.word(self._frame.cfa + place) == pointer
            and self._is_kept(kept, place)
            and self._about.is_as_entered(FrameSlot(place, _WORD), self._lookup)
            for place in kept.passed()
        )
