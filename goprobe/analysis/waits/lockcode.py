"""What the code of functions says of the locks that they take and let go of, at the place where a
frame stands."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Set as AbstractSet
from functools import lru_cache

import msgspec

from goprobe.analysis.ownership import is_own_code
from goprobe.analysis.waits.lockmethods import (
    ADD,
    ASKED,
    DONE,
    GIVES,
    GROUP_DONE,
    GROUPS,
    LOCKS,
    NEVER_ASKED,
    READS,
    SLOW,
    TAKES,
    TRIES,
    Kind,
)
from goprobe.arch.code import MethodCall, Place, Receivers, Ways
from goprobe.binary.pcln.format import Function
from goprobe.errors import UnreadableError
from goprobe.process.memory.memory import u64
from goprobe.runtime.image.functioncode import function_code
from goprobe.runtime.stacks.unwind import MachineFrame
from goprobe.runtime.world import World

_CODE_LIMIT = 1 << 18
_DEPTH, _MOST_CALLED = 3, 300
_MOST_NESTED = 8  # of one read lock by one function
_READER_COUNT = 16  # sync.RWMutex: w, writerSem, readerSem, readerCount
_OFFSETS = dict.fromkeys(READS, _READER_COUNT)
_GIVES = "it has called a function since that unlocks what it has not locked"
_TOO_MANY = "it has called a function since that was not looked at: there are too many"


class Held(msgspec.Struct, frozen=True):
    """A lock that a frame has: it was `taken` by these calls, at `where`; `doubt` says why it may
    not have it."""

    taken: AbstractSet[int]
    where: str
    doubt: str


class LockCode:
    """Of the program's own functions and those that it calls. Addresses in code are link-time ones
    here; those of locks are the process's."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._lines = world.program.lines
        self._receivers = lru_cache(maxsize=4096)(self._read)
        self._gives = lru_cache(maxsize=4096)(self._given)
        self._deferred = lru_cache(maxsize=4096)(self._given_when_deferred)
        self._done_for = lru_cache(maxsize=4096)(self._find_done_for)
        self._called = self._followed = 0

    def tells(self, pc: int) -> bool:
        """Whether the function at a pc of the process calls any of these methods."""
        function = self._function(pc - self._world.bias)
        return function is not None and bool(self._of(function))

    def standing(self, frame: MachineFrame) -> Standing | None:
        pc = frame.lookup - self._world.bias
        function = self._function(pc)
        receivers = self._of(function) if function else None
        if function is None or receivers is None:
            return None
        return Standing(self, function, receivers, pc, frame.cfa)

    def given_by(self, function: int, closure: int) -> Iterator[tuple[str, int, bool]]:
        """What a function that was deferred lets go of without having taken it: the method, the
        address, and whether it surely will."""
        for name, place, surely in self._deferred(function - self._world.bias):
            address = place.fixed + self._world.bias if place.fixed else 0
            if place.closure:
                try:
                    address = u64(self._world.memory, closure + place.closure) + place.plus
                except UnreadableError:
                    continue
            if address:
                yield name, address, surely

    def _given_when_deferred(self, pc: int) -> tuple[tuple[str, Place, bool], ...]:
        """The same as the code of the function at a pc says it, for every closure."""
        deferred = self._function(pc)
        receivers = self._receivers(deferred.entry) if deferred else None
        if deferred is None or receivers is None:
            return ()
        given = [
            (call, True)
            for call in receivers.calls
            if call.name in GIVES and not self.balanced(receivers, call)
        ]
        given += self._dones(receivers, _DEPTH)
        return tuple(
            (call.name, receivers.place(call, deferred.entry), surely and receivers.always(call.pc))
            for call, surely in given
        )

    def _dones(self, receivers: Receivers, depth: int) -> Iterator[tuple[MethodCall, bool]]:
        """The calls of Done in a function, and those of functions that call it for what they are
        given; whether they surely do."""
        for call in receivers.calls:
            if call.name in DONE and not self.balanced(receivers, call, GROUPS):
                yield call, True
        for pc, target in receivers.named_calls():
            for argument, plus, surely in self._done_for(target, depth):
                yield MethodCall(GROUP_DONE, pc, argument, plus), surely

    def done_by_others(self, receivers: Receivers) -> Iterator[MethodCall]:
        """The calls of functions that call Done for what they are given."""
        direct = {call.pc for call in receivers.calls}
        return (call for call, _ in self._dones(receivers, _DEPTH) if call.pc not in direct)

    def _find_done_for(self, target: int, depth: int) -> tuple[tuple[str, int, bool], ...]:
        """What of its arguments a function calls Done for: the register, what is to be added to
        that, whether it surely will."""
        function = self._function(target)
        if function is None or function.entry != target or not depth:
            return ()
        if self._followed >= _MOST_CALLED:
            return ()
        self._followed += 1
        receivers = self._receivers(target)
        if receivers is None:
            return ()
        calls = self._dones(receivers, depth - 1)
        places = [(call, receivers.place(call, target), surely) for call, surely in calls]
        return tuple(
            (place.argument, place.plus, surely and receivers.always(call.pc))
            for call, place, surely in places
            if place.argument
        )

    def why_given(self, targets: Iterable[int], depth: int = _DEPTH) -> str:
        """Why who calls these functions may have lost a lock by it: "" where none of the program's
        own among them, nor what they call (so deep), unlocks what it did not lock."""
        return next(filter(None, (self._gives(target, depth) for target in sorted(targets))), "")

    def place_of(self, pc: int) -> str:
        """ "pool.go:20", where the source has a call that was compiled to `pc`."""
        function = self._function(pc)
        stack = self._lines.inline_stack(function, pc) if function else ()
        asked = max((i for i, f in enumerate(stack) if f.function in ASKED), default=-1)
        frame = stack[asked + 1] if len(stack) > asked + 1 else None
        return f"{frame.file.rpartition('/')[2]}:{frame.line}" if frame else "?"

    def functions_at(self, pc: int) -> frozenset[str]:
        """The function of the code at `pc`, and those that are inlined there."""
        function = self._function(pc)
        stack = self._lines.inline_stack(function, pc) if function else ()
        return frozenset(frame.function for frame in stack)

    def address(self, place: Place, cfa: int) -> int:
        """0 where it is not known."""
        if place.fixed:
            return place.fixed + self._world.bias
        known = set()
        for offset, plus in place.slots:
            try:
                known.add(u64(self._world.memory, cfa + offset) + plus)
            except UnreadableError:
                return 0
        return known.pop() if len(known) == 1 else 0

    def _function(self, pc: int) -> Function | None:
        try:
            return self._lines.function_at(pc)
        except UnreadableError:
            return None

    def _of(self, function: Function) -> Receivers | None:
        """None where it calls none of these methods."""
        receivers = self._receivers(function.entry)
        return receivers if receivers is not None and receivers.calls else None

    def _read(self, entry: int) -> Receivers | None:
        """None where it is none that is asked about, or cannot be read."""
        function = self._function(entry)
        if function is None or function.name.startswith(NEVER_ASKED):
            return None
        flow = function_code(self._world.program.elf, self._lines, function, _CODE_LIMIT)
        if flow is None:
            return None
        return Receivers(flow, self._method_at, self._waits_in, _OFFSETS)

    def _method_at(self, address: int, pc: int, number: Callable[[], int | None]) -> str:
        """What is called at an address by the call at a pc: Add is Done where it was that one's,
        and where it is of less than nothing."""
        name = self._lines.function_name_at(address)
        if name == ADD and (self._is_in_done(pc) or (number() or 0) < 0):
            return GROUP_DONE
        return name if name in ASKED else ""

    def _is_in_done(self, pc: int) -> bool:
        function = self._function(pc)
        stack = self._lines.inline_stack(function, pc)[:-1] if function else ()
        return any(frame.function == GROUP_DONE for frame in stack)

    def _waits_in(self, address: int) -> str:
        return SLOW.get(self._lines.function_name_at(address), "")

    def balanced(self, receivers: Receivers, give: MethodCall, kind: Kind = LOCKS) -> bool:
        """Whether a function has locked itself, on every way, what it unlocks there."""
        place = receivers.place(give, give.pc)
        takes = {
            c.pc
            for c in receivers.calls
            if c.name in kind.takes and receivers.place(c, give.pc).same(place)
        }
        gives = {c.pc for c in receivers.calls if c.name in kind.gives and c.pc != give.pc}
        ways = receivers.ways(give.pc, lambda pc: pc in takes or pc in gives)
        return bool(ways.met) and not ways.open and ways.met <= takes

    def _given(self, target: int, depth: int) -> str:
        function = self._function(target)
        if function is None or not depth:
            return ""
        try:
            if not is_own_code(self._world.program, function.name, function.file):
                return ""
        except UnreadableError:
            return ""
        if self._called >= _MOST_CALLED:
            return _TOO_MANY
        self._called += 1
        receivers = self._receivers(function.entry)
        if receivers is None:
            return ""
        gives = [c for c in receivers.calls if c.name in GIVES]
        if any(not self.balanced(receivers, give) for give in gives):
            return _GIVES
        return self.why_given(receivers.targets(receivers.every), depth - 1)


class Standing:
    """A frame that stands in a function that calls any of these methods."""

    def __init__(
        self, code: LockCode, function: Function, receivers: Receivers, pc: int, cfa: int
    ) -> None:
        self._code, self._function, self._receivers = code, function, receivers
        self._pc, self._cfa = pc, cfa
        self.name = function.name
        self._calls = {call.pc: call for call in receivers.calls if not self._goes_on(call)}
        within = receivers.flow.call_at(pc)
        takes = (call for call in receivers.calls if call.name in TAKES)
        self._begun = [c for c in takes if self._goes_on(c) or c.pc == within]
        self._addresses = {
            at: code.address(receivers.place(call, pc), cfa) for at, call in self._calls.items()
        }

    def _goes_on(self, call: MethodCall) -> bool:
        """Whether it is the one that the frame is in: one that was inlined has begun with its
        atomic instruction, and waits in what it calls."""
        return bool(call.waits) and call.waits == self._receivers.flow.call_at(self._pc)

    def done_by_others(self) -> Iterator[tuple[MethodCall, int]]:
        """The calls of functions that call Done for a wait group that they are given."""
        for call in self._code.done_by_others(self._receivers):
            yield call, self._code.address(self._receivers.place(call, self._pc), self._cfa)

    def calls(self) -> Iterator[tuple[MethodCall, int]]:
        """The calls with the address of what each is for; 0 where that is not known."""
        for at, call in self._calls.items():
            yield call, self._addresses[at]

    def where(self, call: MethodCall) -> str:
        return self._code.place_of(call.pc)

    def holds(self, address: int) -> Held | None:
        """The lock at an address, if the frame has it."""
        ways = self._receivers.ways(self._pc, self._ends(address).__contains__)
        taken = {pc for pc in ways.met if self._calls[pc].name in TAKES}
        if not taken:
            return None
        where = " or ".join(sorted({self._code.place_of(pc) for pc in taken}))
        return Held(taken, where, self._doubt(ways, taken))

    def _doubt(self, ways: Ways, taken: AbstractSet[int]) -> str:
        """Why it may not have what it took there, with these ways since."""
        receivers, through = self._receivers, ways.through
        if ways.open or ways.met != taken:
            return "other ways lead there on which it has it not"
        if any(receivers.place(self._calls[pc], self._pc).made & through for pc in taken):
            return "it has come by several since"
        for pc, call in self._calls.items():
            if pc in through and call.name in GIVES and not self._addresses[pc]:
                return f"{self._code.place_of(pc)} unlocks what could not be told"
        if receivers.unnamed(through):
            return "it has called function values or methods of interfaces since"
        if self._function.deferreturn and receivers.unnamed_at(self._pc):
            return "its deferred calls may run already"
        if self._in_deferreturn():
            return "its deferred calls run"
        return self._code.why_given(receivers.targets(through))

    def _in_deferreturn(self) -> bool:
        after = self._function.entry + self._function.deferreturn
        return bool(self._function.deferreturn) and after <= self._pc < after + 16

    def may_have_given(self, address: int) -> bool:
        """Whether it has unlocked what lies there, and not locked it again, on some way."""
        ends = {
            pc
            for pc, call in self._calls.items()
            if (self._addresses[pc] in (address, 0) and call.name in GIVES)
            or (self._addresses[pc] == address and call.name in TAKES)
        }
        met = self._receivers.ways(self._pc, ends.__contains__).met
        return any(self._calls[pc].name in GIVES for pc in met)

    def will_give(self) -> Iterator[int]:
        """The locks that it may unlock yet, and has not locked before: any goroutine may unlock
        what another has locked (sync.Mutex)."""
        yield from filter(None, self.may_give())

    def may_give(self, kind: Kind = LOCKS) -> Iterator[int]:
        """The same, and 0 for each that it may unlock of which it cannot be told which it is."""
        for call, address in self.calls():
            if call.name not in kind.gives or not self.ahead(call):
                continue
            if address and self._holds_for(call, address):
                continue
            if not self._code.balanced(self._receivers, call, kind):
                yield address

    def _holds_for(self, give: MethodCall, address: int) -> bool:
        """Whether it has locked what it will unlock there: readers may lock several times, and by
        one unlocking more they unlock what another has locked."""
        if not (held := self.depth(address)):
            return False
        ends, at = self._ends(address), frozenset({give.pc})
        for _ in range(held):
            before = self._before(at, ends)
            at = frozenset(c.pc for c in before if c.name in GIVES and self.ahead(c))
        return not at

    def depth(self, address: int) -> int:
        """How often it has locked what lies there, and not unlocked it on any way."""
        ends, at = self._ends(address), frozenset({self._pc})
        count = sum(
            self._code.address(self._receivers.place(call, self._pc), self._cfa) == address
            for call in self._begun
        )
        while at and count < _MOST_NESTED:
            at = frozenset(c.pc for c in self._before(at, ends) if c.name in TAKES)
            count += bool(at)
        return count

    def _before(self, pcs: Iterable[int], ends: AbstractSet[int]) -> list[MethodCall]:
        """Of the calls at `ends` those that come last on the ways to any of some instructions."""
        met = (self._receivers.ways(pc, ends.__contains__).met for pc in pcs)
        return [self._calls[pc] for pc in frozenset[int]().union(*met)]

    def gives_and_ends(self, address: int, but: AbstractSet[str]) -> bool:
        """Whether it may unlock what lies there, and end, without having locked it again; not by
        what is inlined of the deferred functions `but`."""
        before = self._before(self._receivers.returns, self._ends(address))
        gives = [c for c in before if c.name in GIVES and self.ahead(c)]
        return any(not but & self._code.functions_at(c.pc) for c in gives)

    def _ends(self, address: int) -> set[int]:
        """The calls by which it locks what lies there, tries to, and unlocks it."""
        return {
            pc
            for pc, call in self._calls.items()
            if self._addresses[pc] == address and call.name in TAKES | GIVES | TRIES
        }

    def ahead(self, call: MethodCall) -> bool:
        """Whether a call may come yet."""
        return self._receivers.leads(self._pc, call.pc)
