"""Who has to go on before a goroutine can that waits for a lock or a wait group, as far as it is
known who has that."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Iterator, Mapping

from msgspec import UNSET

from goprobe.analysis.heap.blocked import GROUP, SEMAPHORE, Candidate, plain
from goprobe.analysis.waits.possession import LOCKED, READ_LOCKED, TO_BE_DONE, Possession
from goprobe.analysis.waits.whatfor import Thing
from goprobe.model.attached import Owner, WaitsOn

OWNED = frozenset({"mutex", "rwmutex", "wait group"})
_WRITES, _READS, _MUTEX = "sync.RWMutex.Lock", "sync.RWMutex.RLock", "sync.Mutex.Lock"
_NOT_LOCKED = "not locked"
# Whose going on each wait needs: who has the lock so, and whether writers that wait come first.
_NEEDS = {
    _MUTEX: (LOCKED, True),  # of an RWMutex's own: the writer that waits for readers has it
    _WRITES: (READ_LOCKED, False),
    _READS: (LOCKED, True),
    GROUP: (TO_BE_DONE, False),
}

Reason = tuple[str, int]
"""What a goroutine waits for, and how: those of one kind are blocked by the same others."""


class Blocking:
    """Of the things that goroutines wait on."""

    def __init__(
        self,
        things: Mapping[int, tuple[Thing, ...]],
        candidates: Mapping[int, Candidate],
        possession: Possession,
    ) -> None:
        self._things, self._possession = things, possession
        self._candidates = candidates
        self._writers: dict[int, set[int]] = defaultdict(set)
        for number, thing in self._owned():
            if self._plain(number) == _WRITES:
                self._writers[owned_at(thing.waits)].add(number)

    def _plain(self, number: int) -> str:
        candidate = self._candidates.get(number)
        return plain(candidate.reason) if candidate is not None else ""

    def _owned(self) -> Iterator[tuple[int, Thing]]:
        for number, things in self._things.items():
            for thing in things:
                if owned_at(thing.waits):
                    yield number, thing

    def owners(self, waits: WaitsOn) -> tuple[Owner, ...]:
        """Who has it; nobody of what is free by its own word."""
        address = owned_at(waits)
        return self._possession.of(address) if address and waits.state != _NOT_LOCKED else ()

    def waiting(self) -> dict[int, set[Reason]]:
        """Those that wait for locks and groups, with what for."""
        waiting: dict[int, set[Reason]] = defaultdict(set)
        for number, thing in self._owned():
            waiting[number].add(self.reason(number, thing))
        return dict(waiting)

    def reason(self, number: int, thing: Thing) -> Reason:
        reason = self._plain(number)
        return (GROUP if reason == SEMAPHORE else reason, owned_at(thing.waits))

    def blockers(
        self, *, certain: bool, given: Container[int] = frozenset()
    ) -> dict[Reason, set[int]]:
        """Who has to go on first; with `certain` only those that surely have to, for nobody else
        may unlock what they have: that of `given` others may."""
        blockers: dict[Reason, set[int]] = {}
        for number, thing in self._owned():
            reason = self.reason(number, thing)
            if reason in blockers or reason[0] not in _NEEDS:
                continue
            if certain and (reason[1] in given or reason[1] in self._possession.given):
                continue
            operation, writers = _NEEDS[reason[0]]
            who = {
                owner.goroutine
                for owner in self.owners(thing.waits)
                if owner.operation == operation and (owner.certain or not certain)
            }
            if writers:
                who |= self._writers.get(reason[1], set())
            if who:
                blockers[reason] = who
        return blockers


def owned_at(waits: WaitsOn) -> int:
    """Where the lock or wait group lies that it is; 0 of all else, and where that is not known."""
    return int(waits.address) if waits.kind in OWNED and waits.address is not UNSET else 0
