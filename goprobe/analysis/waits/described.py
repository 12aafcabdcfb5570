"""What goroutines wait on, who else has it, which of them are lost and why, and who waits for whom
in a circle: for the report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from msgspec import UNSET
from msgspec.structs import replace

from goprobe.analysis.heap.graph import HeapGraph
from goprobe.analysis.heap.leaks import Leaks
from goprobe.analysis.heap.names import Names
from goprobe.analysis.heap.waits import NEVER, Candidate
from goprobe.analysis.waits.deadlocks import circles
from goprobe.analysis.waits.holders import Having, Holders
from goprobe.analysis.waits.whatfor import Describes, Thing, WhatFor
from goprobe.model.attached import Deadlock, GoroutineGroup, GoroutineState, WaitsOn

_MOST_HOLDERS = 8
_MOST_THINGS = 32  # of one group
_MOST_STEPS = 64
_NOBODY = "nothing that can still run leads to the {} that it waits on"
_NEVER = {
    "chan receive (nil chan)": "a nil channel never has a value to receive",
    "chan send (nil chan)": "a nil channel never takes a value",
    "select (no cases)": "a select without cases never ends",
}
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
    ) -> None:
        self._leaks = leaks
        self._lost = {c.g.id: c for c in leaks.lost}
        names = Names(graph)
        what = WhatFor(graph, leaks, names, now, describes)
        numbers = frozenset(wanted)
        gs = [g for g in graph.world.goroutines.known if not g.dead and g.id in numbers]
        self._things = {g.id: what.things(g) for g in gs}
        self._shared = {thing.key: thing for things in self._things.values() for thing in things}
        wanted_nodes = {thing.node for thing in self._shared.values()}
        self._holders = Holders(graph, names, wanted_nodes, leaks.waits.sudogs())
        self._timed = what.with_timer
        self._told: dict[tuple[Key, str], WaitsOn] = {}
        self._having: dict[Key, list[Having]] = {}
        self._names = names

    def state(self, state: GoroutineState) -> GoroutineState:
        waits = tuple(self._waits(thing, state.id) for thing in self._things.get(state.id, ()))
        candidate = self._lost.get(state.id)
        if candidate is not None:
            return replace(state, leaked=True, why_leaked=self._why(candidate), waits_on=waits)
        return replace(state, why_undecided=self._leaks.unsure.get(state.id, ""), waits_on=waits)

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
        first = self._lost.get(group.ids[0])
        if first is not None:
            return replace(group, leaked=True, why=self._why(first), waits_on=waits)
        return replace(group, why=self._leaks.unsure.get(group.ids[0], ""), waits_on=waits)

    def deadlocks(self) -> tuple[Deadlock, ...]:
        """Those of goroutines that are lost."""
        lost = {number: {t.key for t in self._things[number]} for number in self._lost}
        keys = {key for keys in lost.values() for key in keys}
        having = {key: {h.goroutine for h in self._who_has(self._shared[key])} for key in keys}
        return tuple(
            Deadlock(tuple(circle), tuple(self._steps(circle, lost, having)))
            for circle in circles(lost, having)
        )

    def _why(self, candidate: Candidate) -> str:
        if candidate.reason in NEVER:
            return _NEVER[candidate.reason]
        if not candidate.waits:
            return _NO_READY
        things = self._things[candidate.g.id]
        several = len({thing.key for thing in things}) > 1
        return _NOBODY.format("channels" if several else things[0].waits.kind)

    # What one waits on

    def _waits(self, thing: Thing, number: int) -> WaitsOn:
        if thing.node < 0 and not thing.part:
            return thing.waits
        key = (thing.key, thing.waits.operation)
        if key not in self._told:
            self._told[key] = self._with_holders(thing)
        made = self._told[key]
        if thing.waits.why:
            made = replace(made, why=thing.waits.why)
        if made.name or thing.node < 0:
            return made
        own = next((h for h in self._who_has(thing) if h.goroutine == number), None)
        if own is None or not own.own:
            return made
        return replace(made, name=self._holders.name(own, thing.part))

    def _with_holders(self, thing: Thing) -> WaitsOn:
        """What is the same for all who wait on it."""
        if thing.node < 0:
            return replace(thing.waits, name=thing.part)
        holders = self._holders
        thing = self._timed(thing, holders.pointers_to(thing.node))
        every = sorted(self._who_has(thing), key=lambda h: self._waits_too(h.goroutine, thing.key))
        shown = tuple(holders.holder(h, thing.part) for h in every[:_MOST_HOLDERS])
        way = holders.shortest(thing.node)
        return replace(
            thing.waits,
            name=self._names.path_text(way, thing.part) if way else "",
            held_by=tuple(holder.name for holder in shown),
            holders=shown,
            more_holders=len(every) - len(shown),
        )

    def _who_has(self, thing: Thing) -> list[Having]:
        if thing.key not in self._having:
            at = thing.waits.address
            address = 0 if at is UNSET else int(at)
            known = self._holders.of(thing.node, address) if thing.node >= 0 else []
            self._having[thing.key] = known
        return self._having[thing.key]

    def _waits_too(self, number: int, key: Key) -> bool:
        return any(thing.key == key for thing in self._things.get(number, ()))

    # Circles

    def _steps(
        self,
        circle: Sequence[int],
        waiting: Mapping[int, set[Key]],
        having: Mapping[Key, set[int]],
    ) -> Iterable[str]:
        inside = set(circle)
        for number in circle[:_MOST_STEPS]:
            for thing in self._things[number]:
                who = sorted(g for g in having[thing.key] & inside if thing.key not in waiting[g])
                if who:
                    yield self._step(number, thing, who)

    def _step(self, number: int, thing: Thing, who: Sequence[int]) -> str:
        """ "goroutine 7 waits to receive from channel 0x… main.a, which goroutine 8 has"."""
        waits = self._waits(thing, number)
        address = f" {waits.address}" if waits.address else ""
        address += f" {waits.name}" if waits.name else ""
        names = ", ".join(str(g) for g in who[:_MOST_HOLDERS])
        more = f" and {len(who) - _MOST_HOLDERS} more" if len(who) > _MOST_HOLDERS else ""
        which = f"goroutine {names}{more}" if len(who) == 1 else f"goroutines {names}{more}"
        verb = "has" if len(who) == 1 else "have"
        return (
            f"goroutine {number} waits for {waits.kind}{address} ({waits.operation}), "
            f"which {which} {verb}"
        )
