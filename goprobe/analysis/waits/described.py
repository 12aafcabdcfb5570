"""What goroutines wait on, who else has it, which of them are lost and why, and who waits for whom
in a circle: for the report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set as AbstractSet

import numpy as np
from msgspec import UNSET
from msgspec.structs import replace

from goprobe.analysis.heap.blocked import NEVER, Candidate
from goprobe.analysis.heap.graph import HeapGraph
from goprobe.analysis.heap.leaks import Leaks, stuck
from goprobe.analysis.heap.names import Names
from goprobe.analysis.waits.blocking import OWNED, Blocking, owned_at
from goprobe.analysis.waits.deadlocks import circles
from goprobe.analysis.waits.holders import Having, Holders
from goprobe.analysis.waits.lockmethods import GROUPS, LOCKS, MUTEXES, READERS, WRITERS, Kind
from goprobe.analysis.waits.locks import KINDS, MUTEX, RWMUTEX, is_read
from goprobe.analysis.waits.possession import Possession, released_locks
from goprobe.analysis.waits.unlockcode import UnlockCode
from goprobe.analysis.waits.unlockers import Unlockers
from goprobe.analysis.waits.whatfor import Describes, Thing, WhatFor
from goprobe.model.attached import Deadlock, GoroutineGroup, GoroutineState, Holder, WaitsOn
from goprobe.process.memory.copies import Words

_MOST_HOLDERS = 8
_MOST_THINGS = 32  # of one group
_MOST_STEPS = 64
_MOST_NAMED = 1 << 13  # (m: a quarter of a millisecond each)
_MOST_LOOKED_AT = 1 << 22  # nodes, for those who have them (m: half a microsecond each)
_GROUP = "wait group"
_NOBODY = "nothing that can still run leads to the {} that it waits on"
_NEVER = {
    "chan receive (nil chan)": "a nil channel never has a value to receive",
    "chan send (nil chan)": "a nil channel never takes a value",
    "select (no cases)": "a select without cases never ends",
}
_PLUGINS = "the code of plugins, which is not looked at"
_NO_READY = "none of the select's cases has a channel"

Key = tuple[str, int]


class Described:
    """Says it of the goroutines with these numbers, as `now` and `describes` help to say it (see
    WhatFor)."""

    def __init__(
        self,
        graph: HeapGraph,
        leaks: Leaks,
        wanted: Iterable[int],
        now: int,
        describes: Describes,
        states: Sequence[GoroutineState],
    ) -> None:
        self._graph, self._leaks = graph, leaks
        self._lost = {c.g.id: c for c in leaks.lost}
        names = Names(graph)
        what = WhatFor(graph, leaks, names, now, describes)
        numbers = frozenset(wanted)
        gs = [g for g in graph.world.goroutines.alive if g.id in numbers]
        self._things = {g.id: what.things(g) for g in gs}
        self._shared = {thing.key: thing for things in self._things.values() for thing in things}
        wanted_nodes = {thing.node for thing in self._shared.values()}
        self._holders = Holders(graph, names, wanted_nodes, leaks.waits.sudogs())
        self._what = what
        self._timers = what.timers(self._pointers())
        self._told: dict[tuple[Key, str], WaitsOn] = {}
        self._nameless: set[Key] = set()
        self._having: dict[Key, list[Having]] = {}
        self._having_by: dict[Key, dict[int, Having]] = {}
        self._names = names
        locks = {owned_at(thing.waits) for thing in self._shared.values()} - {0}
        possession = Possession(graph.world, states, locks, released_locks(graph, leaks))
        self._possession = possession
        self._codes = {LOCKS: possession.code}
        self._blocking = Blocking(self._things, leaks.candidates, possession)

    def _pointers(self) -> tuple[Words, Words]:
        """Those of the heap that lead to channels: (channel, place) each."""
        keys = {t.node: t.key[1] for t in self._shared.values() if t.waits.kind == "channel"}
        keys.pop(-1, None)
        channel = np.zeros(len(self._graph.nodes), np.uint64)
        nodes = np.fromiter(keys, np.int64, len(keys))
        channel[nodes] = np.fromiter(keys.values(), np.uint64, len(keys))
        targets, places = self._holders.pointers_to(nodes)
        return channel[targets], places

    def state(self, state: GoroutineState) -> GoroutineState:
        things = self._things.get(state.id, ())
        waits = tuple(self._waits_or_less(thing, state.id) for thing in things)
        candidate = self._lost.get(state.id)
        if candidate is not None:
            return replace(state, leaked=True, why_leaked=self._why(candidate), waits_on=waits)
        return replace(state, why_undecided=self._leaks.unsure.get(state.id, ""), waits_on=waits)

    @property
    def notes(self) -> tuple[str, ...]:
        """What is left out of who has locked what, and of what has what name."""
        told: list[str] = []
        if left := self._possession.left:
            told.append(
                "who has locked what is told by where goroutines stand: there are too many, the "
                f"stacks of {left:,} that may tell of it were not looked at"
            )
        if left := len(self._nameless):
            told.append(
                f"of {left:,} more of what goroutines wait on neither the names nor who has it "
                "were looked for: --id and --in choose fewer goroutines"
            )
        return tuple(told)

    def group(self, group: GoroutineGroup) -> GoroutineGroup:
        """With what its goroutines wait on, most frequent first."""
        counts: Counter[tuple[Key, str]] = Counter()
        of: dict[tuple[Key, str], tuple[Thing, int]] = {}
        for number in group.ids:
            for thing in self._things.get(number, ()):
                key = (thing.key, thing.waits.operation)
                counts[key] += 1
                of.setdefault(key, (thing, number))
        waits = tuple(
            replace(self._waits(*of[key]), count=count)
            for key, count in counts.most_common(_MOST_THINGS)
        )
        group = replace(group, more_waits_on=len(counts) - len(waits))
        first = self._lost.get(group.ids[0])
        if first is not None:
            return replace(group, leaked=True, why=self._why(first), waits_on=waits)
        return replace(group, why=self._leaks.unsure.get(group.ids[0], ""), waits_on=waits)

    def deadlocks(self) -> tuple[Deadlock, ...]:
        """Circles of goroutines that are lost, or cannot go on before those have that have locked
        what they wait for; then those that are possible."""
        told, certain, given = self._certain()
        every = self._blocking.blockers(certain=False)
        if every != certain:
            known = {number for deadlock in told for number in deadlock.goroutines}
            waiting = self._blocking.waiting()
            for circle in circles(waiting, {}, every):
                if not known.issuperset(circle):
                    steps = [*self._steps(circle, waiting, {}, every), *self._given(circle, given)]
                    told.append(Deadlock(tuple(circle), tuple(steps), possible=True))
        return tuple(told)

    def _certain(self) -> tuple[list[Deadlock], dict[Key, set[int]], dict[int, str]]:
        """Those that are certain, who surely has what, and what others may unlock of that: where
        one circle may end by it, others that waited for it may, too."""
        waiting = self._blocking.waiting()
        given: dict[int, str] = {}
        while True:
            certain = self._blocking.blockers(certain=True, given=given)
            needed = {
                number: set().union(*(certain[r] for r in reasons))
                for number, reasons in waiting.items()
                if reasons <= certain.keys()
            }
            stuck_ones = stuck(self._graph, self._leaks, needed) if needed else frozenset()
            dead = self._lost.keys() | stuck_ones
            told = list(self._circles(dead, certain))
            members = {number for circle in told for number in circle.goroutines}
            more = self._unlocked(dead, members - self._lost.keys(), {at for _, at in certain})
            if not more:
                return told, certain, {**self._possession.given, **given}
            given |= more

    def _unlocked(
        self, dead: AbstractSet[int], members: AbstractSet[int], owned: AbstractSet[int]
    ) -> dict[int, str]:
        """Who else may unlock the locks that goroutines wait for of which it is known who has them,
        or call Done for the groups."""
        given: dict[int, str] = {}
        waits = [thing.waits for number in members for thing in self._things[number]]
        by_kind: dict[Kind, dict[int, int]] = {}
        for each in waits:
            if (at := owned_at(each)) in owned:
                by_kind.setdefault(self._kind(each), {})[at] = self._graph.node_at(at)
        if len(self._graph.world.modules) > 1:
            return {at: _PLUGINS for nodes in by_kind.values() for at in nodes}
        for kind, nodes in by_kind.items():
            code = self._code(kind)
            others = Unlockers(self._graph, self._leaks, self._names, code, dead)
            given |= others.of(nodes)
        return given

    def _kind(self, waits: WaitsOn) -> Kind:
        """What may free who waits there. By the runtime's word alone a mutex may be an RWMutex's
        own."""
        if waits.kind == _GROUP:
            return GROUPS
        if not self._possession.code.tells_kinds:
            return LOCKS
        if waits.kind == KINDS[RWMUTEX]:
            read = is_read(self._graph.world.memory, owned_at(waits))
            return LOCKS if read is None else READERS if read else WRITERS
        return MUTEXES if waits.type.startswith(f"{MUTEX} in ") else LOCKS

    def _code(self, kind: Kind) -> UnlockCode:
        if kind not in self._codes:
            self._codes[kind] = self._possession.code.of_kind(kind)
        return self._codes[kind]

    def _given(self, circle: Sequence[int], given: Mapping[int, str]) -> Iterable[str]:
        """ "mutex 0x… may be unlocked by another, too: main.main.func1"."""
        things = (thing.waits for number in circle for thing in self._things[number])
        for waits in dict.fromkeys(w for w in things if owned_at(w) in given):
            which, who = f"{waits.kind} {waits.address}", given[owned_at(waits)]
            may = f"{which} may be unlocked"
            if waits.kind == _GROUP:
                may = f"Done may be called for {which}"
            yield f"{may} by another, too: {who}"

    def _circles(
        self, dead: AbstractSet[int], certain: Mapping[Key, set[int]]
    ) -> Iterable[Deadlock]:
        """Of goroutines that cannot go on."""
        waiting: dict[int, set[Key]] = {}
        having: dict[Key, set[int]] = {}
        for number in sorted(dead & self._things.keys()):
            waiting[number] = set()
            for thing in self._things[number]:
                key = self._key(number, thing)
                waiting[number].add(key)
                if key not in certain and key not in having:
                    having[key] = {h.goroutine for h in self._who_has(thing)}
        for circle in circles(waiting, having, certain):
            steps = self._steps(circle, waiting, having, certain)
            yield Deadlock(tuple(circle), tuple(steps))

    def _key(self, number: int, thing: Thing) -> Key:
        """The same for all who are blocked by the same others."""
        return self._blocking.reason(number, thing) if thing.waits.kind in OWNED else thing.key

    def _why(self, candidate: Candidate) -> str:
        if candidate.reason in NEVER:
            return _NEVER[candidate.reason]
        if not candidate.waits:
            return _NO_READY
        things = self._things[candidate.g.id]
        several = len({thing.key for thing in things}) > 1
        return _NOBODY.format("channels" if several else things[0].waits.kind)

    # What one waits on

    def _waits_or_less(self, thing: Thing, number: int) -> WaitsOn:
        """Of very many the first with their names."""
        few = len(self._told) < _MOST_NAMED and self._holders.looked_at < _MOST_LOOKED_AT
        if few or (thing.key, thing.waits.operation) in self._told:
            return self._waits(thing, number)
        self._nameless.add(thing.key)
        return self._owned(self._with_timer(thing).waits)

    def _waits(self, thing: Thing, number: int) -> WaitsOn:
        if thing.node < 0 and not thing.part:
            return self._owned(thing.waits)
        key = (thing.key, thing.waits.operation)
        if key not in self._told:
            self._told[key] = self._with_holders(thing)
        made = self._told[key]
        if thing.waits.why:
            made = replace(made, why=thing.waits.why)
        if made.name or thing.node < 0:
            return made
        self._who_has(thing)
        own = self._having_by[thing.key].get(number)
        if own is None or not own.own:
            return made
        return replace(made, name=self._holders.name(own, thing.part))

    def _with_holders(self, thing: Thing) -> WaitsOn:
        """What is the same for all who wait on it."""
        if thing.node < 0:
            return self._owned(replace(thing.waits, name=thing.part))
        holders, thing = self._holders, self._with_timer(thing)
        every = self._who_has(thing)
        if len(every) > 1:
            every = sorted(every, key=lambda h: self._waits_too(h.goroutine, thing.key))
        shown = tuple(holders.holder(h, thing.part) for h in every[:_MOST_HOLDERS])
        made = replace(
            thing.waits,
            name=self._name(thing, every, shown),
            held_by=tuple(holder.name for holder in shown),
            holders=shown,
            more_holders=len(every) - len(shown),
        )
        return self._owned(made)

    def _with_timer(self, thing: Thing) -> Thing:
        if thing.waits.kind != "channel":
            return thing
        return self._what.with_timer(thing, self._timers.get(thing.key[1]))

    def _name(self, thing: Thing, every: Sequence[Having], shown: Sequence[Holder]) -> str:
        """That by a shortest way from a package-level variable; "" where there is none."""
        if self._graph.is_tiny(thing.node):  # what leads there may lead to another value in it
            way = next((having.way for having in every if not having.goroutine), [])
            return self._names.path_text(way, thing.part) if way else ""
        for having, holder in zip(every, shown, strict=False):
            if not having.goroutine and having.way == self._holders.shortest(thing.node):
                return holder.name
        return self._holders.shortest_name(thing.node, thing.part)

    def _owned(self, waits: WaitsOn) -> WaitsOn:
        owners = self._blocking.owners(waits)
        return replace(waits, owners=owners[:_MOST_HOLDERS]) if owners else waits

    def _who_has(self, thing: Thing) -> list[Having]:
        if thing.key not in self._having:
            at = thing.waits.address
            address = 0 if at is UNSET else int(at)
            known = self._holders.of(thing.node, address) if thing.node >= 0 else []
            self._having[thing.key] = known
            self._having_by[thing.key] = {having.goroutine: having for having in known}
        return self._having[thing.key]

    def _waits_too(self, number: int, key: Key) -> bool:
        return any(thing.key == key for thing in self._things.get(number, ()))

    # Circles

    def _steps(
        self,
        circle: Sequence[int],
        waiting: Mapping[int, set[Key]],
        having: Mapping[Key, set[int]],
        blockers: Mapping[Key, set[int]],
    ) -> Iterable[str]:
        inside = set(circle)
        for number in circle[:_MOST_STEPS]:
            for thing in self._things[number]:
                key = self._key(number, thing)
                who = [g for g in having.get(key, ()) if g in inside and key not in waiting[g]]
                who = sorted({*who, *(blockers.get(key, set()) & inside)})
                if who:
                    yield self._step(number, thing, who)

    def _step(self, number: int, thing: Thing, who: Sequence[int]) -> str:
        """ "goroutine 7 waits for mutex 0x… main.a (lock), which goroutine 8 has: …"."""
        waits = self._waits(thing, number)
        address = f" {waits.address}" if waits.address else ""
        address += f" {waits.name}" if waits.name else ""
        names = ", ".join(str(g) for g in who[:_MOST_HOLDERS])
        more = f" and {len(who) - _MOST_HOLDERS} more" if len(who) > _MOST_HOLDERS else ""
        which = f"goroutine {names}{more}" if len(who) == 1 else f"goroutines {names}{more}"
        owners = [o for o in waits.owners if o.goroutine in who]
        may = "may " if owners and not any(o.certain for o in owners) else ""
        verb = "has" if len(who) == 1 and not may else "have"
        ending = " to call Done for" if waits.kind == "wait group" else ""
        evidence = f": {owners[0].evidence}" if len(who) == 1 and owners else ""
        return (
            f"goroutine {number} waits for {waits.kind}{address} ({waits.operation}), "
            f"which {which} {may}{verb}{ending}{evidence}"
        )
