"""What functions unlock that they have not locked, by their code and that of what they call."""

from __future__ import annotations

from goprobe.analysis.ownership import is_own_code
from goprobe.analysis.waits.lockcode import ASKED, GIVES, NEVER_ASKED, SLOW, TAKES, LockCode
from goprobe.arch.code import Receivers
from goprobe.binary.pcln.format import Function
from goprobe.errors import UnreadableError
from goprobe.runtime.stacks.unwind import MachineFrame
from goprobe.runtime.world import World

_UNLOCKS = frozenset({"Unlock", "RUnlock"})
_MOST_FOLLOWED = 2000
_FOLLOWED_DEPTH = 12
ANY, CAPTURED = 0, 1
"""In place of a lock's address: whichever it is told of, or what its closure leads to."""


class UnlockCode(LockCode):
    """Of the program's own functions. All addresses are the process's here."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._places: dict[int, frozenset[int]] = {}

    def is_entry(self, address: int) -> bool:
        """Whether a function of the program begins there."""
        return self._begins(address - self._world.bias)

    def _begins(self, pc: int) -> bool:
        lines = self._world.program.lines
        if not lines.low <= pc < lines.high:
            return False
        function = self._function(pc)
        return function is not None and function.entry == pc

    def name(self, entry: int) -> str:
        return self._world.shown_name(self._world.function_name(entry)).removesuffix("-fm")

    def is_method_value(self, entry: int) -> bool:
        """Whether it is called for what stands behind it in its closure ("main.(*T).f-fm")."""
        return self._world.function_name(entry).endswith("-fm")

    def given_places(self, entry: int) -> frozenset[int]:
        """The locks that a function may unlock without having locked them, by their addresses, ANY
        or CAPTURED; what it calls by interfaces and function values left out."""
        return self._given_places(entry - self._world.bias, _FOLLOWED_DEPTH)

    def may_give_yet(self, frame: MachineFrame) -> frozenset[int]:
        """The same of what a frame may come to yet."""
        pc = frame.lookup - self._world.bias
        function = self._function(pc)
        if function is None or not self._is_followed(function):
            return frozenset()
        receivers = self._receivers(function.entry)
        if receivers is None:
            return frozenset()
        places = self._by_calls(receivers, pc, _FOLLOWED_DEPTH)
        standing = self.standing(frame)
        if standing is not None:
            places |= {address or ANY for address in standing.may_give()}
        return frozenset(places)

    def _given_places(self, entry: int, depth: int) -> frozenset[int]:
        if entry in self._places:
            return self._places[entry]
        function = self._function(entry)
        if function is None:
            return frozenset()
        self._places[entry] = frozenset()  # while it is looked at
        self._places[entry] = places = self._given_by(function, depth)
        return places

    def _given_by(self, function: Function, depth: int) -> frozenset[int]:
        method = function.name.removesuffix("-fm").rpartition(".")[2]
        if method in _UNLOCKS:
            return frozenset({CAPTURED if function.name.endswith("-fm") else ANY})
        # What these wrap is called once, by a frame that is asked itself.
        if ".deferwrap" in function.name or ".gowrap" in function.name:
            return frozenset()
        if not self._is_followed(function):
            return frozenset()
        if not depth or len(self._places) > _MOST_FOLLOWED:
            return frozenset({ANY})
        receivers = self._receivers(function.entry)
        if receivers is None:
            return frozenset()
        places = self._by_calls(receivers, None, depth)
        for call in receivers.calls:
            if call.name in GIVES and not self.balanced(receivers, call):
                place = receivers.place(call, function.entry)
                unnamed = CAPTURED if place.closure else ANY
                places.add(place.fixed + self._world.bias if place.fixed else unnamed)
        return frozenset(places)

    def _by_calls(self, receivers: Receivers, pc: int | None, depth: int) -> set[int]:
        """By what is called by name; of a frame that stands at `pc` what it may come to yet."""
        places: set[int] = set()
        for at, target in receivers.named_calls():
            name = self._lines.function_name_at(target)
            if name in ASKED or name in SLOW:
                continue
            more = self._given_places(target, depth - 1) - places
            if not more or (pc is not None and not receivers.leads(pc, at)):
                continue
            if not self._taken_before(receivers, at):
                places |= more
        return places

    def _taken_before(self, receivers: Receivers, pc: int) -> bool:
        """Whether on every way to a call that unlocks something it has called what only locks."""
        takes = {at for at, target in receivers.named_calls() if self._only_takes(target)}
        ways = receivers.ways(pc, takes.__contains__)
        return bool(ways.met) and not ways.open

    def _only_takes(self, target: int) -> bool:
        if self._lines.function_name_at(target) in TAKES:
            return True
        function = self._function(target)
        if function is None or not self._is_followed(function):
            return False
        receivers = self._receivers(function.entry)
        names = {call.name for call in receivers.calls} if receivers is not None else set()
        return bool(names & TAKES) and not names & GIVES

    def _is_followed(self, function: Function) -> bool:
        """Whether it is the program's own, or made by the compiler for what is."""
        try:
            if function.file == "<autogenerated>":
                return not function.name.startswith(NEVER_ASKED)
            return is_own_code(self._world.program, function.name, function.file)
        except UnreadableError:
            return False
