"""Who has locked what others wait for. Go does not note it: it is told by where goroutines stand.

A frame that stands behind a Lock, on every way that leads there by its code, and before any Unlock,
has the lock; so has one for which a deferred call waits that unlocks it, without having locked it
itself. Which lock it was the frame has to tell: a variable of the package, or a word of the frame
that still holds what the Lock was called for. What could be otherwise (a call in between of what
the code does not name, several who would have it) is told as such: "may". Where nothing of that is
known nobody is named.

Source: src/sync/mutex.go, rwmutex.go, waitgroup.go, Go 1.21 to 1.27; runtime/panic.go for deferred
calls.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set as AbstractSet
from functools import cached_property

from msgspec import UNSET
from msgspec.structs import replace

from goprobe.analysis.heap.blocked import COND
from goprobe.analysis.heap.graph import HeapGraph
from goprobe.analysis.heap.leaks import Leaks
from goprobe.analysis.waits.lockcode import Standing
from goprobe.analysis.waits.lockmethods import DONE, READS, TAKES
from goprobe.analysis.waits.locks import by_reason, counter_of
from goprobe.analysis.waits.unlockcode import UnlockCode
from goprobe.errors import UnreadableError
from goprobe.model.attached import GoroutineState, Owner
from goprobe.process.memory.memory import u64
from goprobe.runtime.goroutines.goroutines import Goroutine
from goprobe.runtime.stacks.deferred import Deferred, DeferredCall
from goprobe.runtime.stacks.stacks import Stacks
from goprobe.runtime.world import World

LOCKED, READ_LOCKED, TO_BE_DONE = "lock", "read lock", "done"
_MOST_WALKED = 5000
_WORD = 8
_PANICKING = frozenset({"runtime.gopanic", "runtime.Goexit"})
_CONDITION = "sync.(*Cond).Wait"


class Possession:
    """Of some locks and wait groups, by their addresses. `released` says of a goroutine that waits
    for a condition which lock it has let go of meanwhile (None: that is not known)."""

    def __init__(
        self,
        world: World,
        states: Sequence[GoroutineState],
        wanted: Iterable[int],
        released: dict[int, int],
    ) -> None:
        self._world, self._states = world, states
        self._wanted = frozenset(wanted)
        self._released = released
        self._given: dict[int, str] = {}
        self._stacks = Stacks(world)
        self._code = UnlockCode(world)
        self._deferred = Deferred(world)

    def of(self, address: int) -> tuple[Owner, ...]:
        return self._known[0].get(address, ())

    @property
    def given(self) -> Mapping[int, str]:
        """The locks that goroutines which have not locked them may unlock yet, and who."""
        _ = self._known  # for which the frames are looked at
        return self._given

    @property
    def code(self) -> UnlockCode:
        return self._code

    @property
    def left(self) -> int:
        """How many goroutines may tell of some, and were too many to look at."""
        return self._known[1]

    @cached_property
    def _known(self) -> tuple[dict[int, tuple[Owner, ...]], int]:
        if not self._wanted:
            return {}, 0
        by_lock: dict[int, dict[tuple[int, str], Owner]] = defaultdict(dict)
        gs = {g.id: g for g in self._world.goroutines.alive}
        telling: dict[int, bool] = {}  # many have the very same frames
        walked = left = 0
        for state in self._states:
            frames = state.frames if state.frames is not UNSET else ()
            if id(frames) not in telling:
                telling[id(frames)] = self._may_tell(frame.pc for frame in frames)
            g = gs.get(state.id)
            if not telling[id(frames)] or g is None:
                continue
            if walked >= _MOST_WALKED:
                left += 1
                continue
            walked += 1
            for address, owner in self._of_goroutine(g):
                key = (owner.goroutine, owner.operation)
                known = by_lock[address].get(key)
                if known is None or (owner.certain and not known.certain):
                    by_lock[address][key] = owner
        return {at: self._agreed(at, owners.values()) for at, owners in by_lock.items()}, left

    def _agreed(self, address: int, owners: Iterable[Owner]) -> tuple[Owner, ...]:
        """As many as have to call Done by a group's counter: where more will, some are left over
        to do it for others."""
        agreed = _agreed(owners)
        done = [o for o in agreed if o.operation == TO_BE_DONE and o.certain]
        counter = counter_of(self._world.memory, address) if done else 0
        if len(done) <= counter:
            return agreed
        why = f"{len(done)} goroutines will, and its counter is {counter}"
        return tuple(_doubted(o, why) if o in done else o for o in agreed)

    def _may_tell(self, pcs: Iterable[int]) -> bool:
        return any(self._code.tells(pc) or self._deferred.may_tell(pc) for pc in pcs)

    def _of_goroutine(self, g: Goroutine) -> Iterator[tuple[int, Owner]]:
        frames = self._stacks.of_goroutine(g).frames
        names = [frame.function for frame in frames]
        standings = [self._code.standing(frame) for frame in frames]
        for i, standing in enumerate(standings):
            if standing is None:
                continue
            for address in standing.will_give():
                self._given.setdefault(address, _told(g, standing.name))
            inner = names[:i]
            doubt = "a panic ends it" if _PANICKING.intersection(inner) else ""
            for address, owner in self._of_frame(g, standing, standings[:i], doubt):
                if _CONDITION in inner and owner.operation != TO_BE_DONE:
                    released = self._released.get(g.id)
                    if released == address:
                        continue
                    if released is None:
                        owner = _doubted(owner, "it waits for a condition, and lets go of its lock")
                yield address, owner
        calls = tuple(self._deferred.calls(g, frames))
        deferred = [one for call in calls for one in self._by_deferred(g, call)]
        yield from deferred
        counts = Counter(at for at, owner in deferred if owner.operation != TO_BE_DONE)
        functions = {self._world.function_name(call.function) for call in calls}
        self._note_more(g, [s for s in standings if s is not None], counts, functions)

    def _note_more(
        self,
        g: Goroutine,
        standings: Sequence[Standing],
        counts: Mapping[int, int],
        functions: AbstractSet[str],
    ) -> None:
        """What a goroutine will unlock by deferred calls, of `functions`, and more often than it
        has locked it."""
        for address, count in counts.items():
            held = sum(s.depth(address) for s in standings)
            count += any(s.gives_and_ends(address, functions) for s in standings)
            if held and count > held:
                self._given.setdefault(address, f"goroutine {g.id}, by deferred calls")

    def _of_frame(
        self, g: Goroutine, standing: Standing, inner: Sequence[Standing | None], doubt: str
    ) -> Iterator[tuple[int, Owner]]:
        for call, address in (*standing.calls(), *standing.done_by_others()):
            if address not in self._wanted:
                continue
            if call.name in TAKES:
                held = standing.holds(address)
                if held is None or call.pc not in held.taken:
                    continue
                operation = READ_LOCKED if call.name in READS else LOCKED
                why = doubt or held.doubt or _let_go(inner, address)
                told = f"{standing.name} locked it at {held.where}"
                yield address, _owner(g, operation, told, standing.name, why)
            elif call.name in DONE and standing.ahead(call):
                told = f"{standing.name} calls Done at {standing.where(call)}"
                why = "other ways of the code may lead past it"
                yield address, _owner(g, TO_BE_DONE, told, standing.name, why)

    def _by_deferred(self, g: Goroutine, call: DeferredCall) -> Iterator[tuple[int, Owner]]:
        by = self._world.function_name(call.function)
        for name, address, surely in self._code.given_by(call.function, call.closure):
            if address not in self._wanted:
                continue
            doing = "calls Done" if name in DONE else "unlocks it"
            operation = LOCKED
            if name in DONE:
                operation = TO_BE_DONE
            elif name in READS:
                operation = READ_LOCKED
            told = f"a deferred call ({by}) {doing}"
            why = "" if surely else "other ways of its code may lead past that"
            yield address, _owner(g, operation, told, by.partition(".deferwrap")[0], why)


def _told(g: Goroutine, function: str) -> str:
    return f"goroutine {g.id}, in {function}"


def _let_go(inner: Iterable[Standing | None], address: int) -> str:
    """Why a function that was called meanwhile may have unlocked it."""
    for standing in inner:
        if standing is not None and standing.may_have_given(address):
            return f"{standing.name} may have unlocked it"
    return ""


def _owner(g: Goroutine, operation: str, evidence: str, function: str, doubt: str) -> Owner:
    made = Owner(goroutine=g.id, operation=operation, evidence=evidence, function=function)
    return _doubted(made, doubt) if doubt else made


def _doubted(owner: Owner, why: str) -> Owner:
    return replace(owner, certain=False, evidence=f"{owner.evidence}, but {why}")


def _agreed(owners: Iterable[Owner]) -> tuple[Owner, ...]:
    """Only one can have a lock: of several who surely seem to none is certain, beside a certain one
    there is no other."""
    told = sorted(owners, key=lambda o: (not o.certain, o.goroutine))
    done = [o for o in told if o.operation == TO_BE_DONE]
    sure = [o for o in told if o.certain and o not in done]
    writing = any(o.operation == LOCKED for o in sure)
    if writing and len(sure) == 1:
        return (*sure, *done)
    if writing:
        why = "others seem to have it, too"
        return (*(_doubted(o, why) if o in sure else o for o in told if o not in done), *done)
    return tuple(told)


def released_locks(graph: HeapGraph, leaks: Leaks) -> dict[int, int]:
    """Of goroutines that wait for a condition, the lock that it is for: sync.Cond begins with L, an
    interface, whose data is the lock's address (cond.go, Go 1.21 to 1.27)."""
    locks: dict[int, int] = {}
    for candidate in leaks.candidates.because(COND):
        if not candidate.waits:
            continue
        around = by_reason(COND, leaks.waits.address(candidate.waits[0]))
        try:
            locks[candidate.g.id] = u64(graph.world.memory, around.address + _WORD)
        except UnreadableError:
            continue
    return locks
