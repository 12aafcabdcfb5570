"""Which words of a function's frame the runtime keeps: what a pointer there leads to is not freed,
and the pointer is adjusted when the stack moves.

At a call these are the words that the compiler's map for it names; a variable that nothing reads
any more is left out, in unoptimised builds, too. The pointers in variables whose address is taken
(stack objects) are adjusted in any case. Where a frame stands at no call, what counts is the last
call that it made; nothing moves a stack whose innermost frame was interrupted, and the collector
then takes each of its words for a pointer.
Source: src/runtime/stack.go (adjustframe), mgcmark.go (scanframeworker), stkframe.go
(getStackMap), traceback.go (continpc); cmd/compile, liveness/plive.go, Go 1.21 to 1.27.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from goprobe.arch.code import ENTRY, FrameSlot, FrameWrites
from goprobe.arch.frames import RETURN_ADDRESS
from goprobe.binary.pcln.format import Function
from goprobe.binary.pcln.stackmap import frame_maps, stack_objects
from goprobe.errors import UnreadableError

_WORD = 8


class KeptWords:
    """Of one function; pcs are link-time, places bytes from the CFA. `depth(pc)` is the distance
    from the stack pointer up to the CFA, `counts(target)` whether a call of what begins there is
    one at which anything may be moved or freed."""

    def __init__(
        self,
        function: Function | None,
        writes: FrameWrites,
        depth: Callable[[int], int],
        counts: Callable[[int], bool],
    ) -> None:
        self._function, self._writes = function, writes
        self._depth, self._counts = depth, counts
        self._at_calls: dict[int, frozenset[int]] = {}
        self._since: dict[tuple[int, int], bool] = {}
        self._objects: tuple[range, ...] | None = None

    def at_call(self, place: int, pc: int) -> bool:
        """Whether a word is kept while the call runs that returns to `pc`."""
        if pc not in self._at_calls:
            self._at_calls[pc] = self._live(pc)
        return place in self._at_calls[pc]

    def _live(self, pc: int) -> frozenset[int]:
        if self._function is None:
            return frozenset()
        try:
            maps = frame_maps(self._function.table, self._function, pc)
        except UnreadableError:
            return frozenset()
        first = self._varp(max(pc - 1, self._function.entry)) - _WORD * maps.locals.words
        places = {first + _WORD * i for i in maps.locals}
        return frozenset(places | {_WORD * i for i in maps.arguments})

    def _varp(self, pc: int) -> int:
        """Where the frame's variables end: below the saved frame pointer, which those of some
        size have."""
        return -RETURN_ADDRESS - (_WORD if self._depth(pc) > RETURN_ADDRESS else 0)

    def since_calls(self, place: int, pc: int) -> bool:
        """Whether a word has been kept by the calls that may have been made since it was written,
        where `pc` is about to run."""
        key = place, pc
        if key not in self._since:
            calls = self._writes.calls_since(FrameSlot(place, _WORD), pc, self._counts)
            self._since[key] = calls is not None and all(
                self._at_entry(place) if call == ENTRY else self.at_call(place, call)
                for call in calls
            )
        return self._since[key]

    def _at_entry(self, place: int) -> bool:
        """A variable of the frame itself had no value yet; what was passed may have been moved
        where the stack had to grow for the function to begin."""
        return place < 0 or self._function is None or self.at_call(place, self._function.entry)

    def passed(self) -> Iterator[int]:
        """The places of pointers that the function is passed, those in registers by where it may
        save them."""
        function = self._function
        yield from (p for p in self._live(function.entry) if p >= 0) if function else ()

    def after_fault(self, place: int) -> bool:
        """Whether a word is kept in a frame that faulted: it goes on at its deferred calls, or
        nowhere."""
        function = self._function
        if function is None or not function.deferreturn:
            return False
        return self.at_call(place, function.entry + function.deferreturn + 1)

    def is_adjusted(self, place: int) -> bool:
        """Whether a word is part of a variable whose address is taken."""
        if self._objects is None:
            self._objects = tuple(self._read_objects())
        return any(place in object_ for object_ in self._objects)

    def _read_objects(self) -> list[range]:
        if self._function is None:
            return []
        try:
            objects = stack_objects(self._function.table, self._function)
        except UnreadableError:
            return []
        varp = -RETURN_ADDRESS - _WORD
        lows = ((o.offset + (varp if o.offset < 0 else 0), o.size) for o in objects)
        return [range(low, low + size) for low, size in lows]
