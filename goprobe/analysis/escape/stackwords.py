"""Whether a word of the heap, of variables or of another stack could lead into a goroutine's stack
at all.

What the graph of the heap tells for sure takes a third of a second, most of it to load what it is
made with, and hardly a program has such a word. This looks at more words than the graph does: it
asks for no bit that says which ones are pointers, or which objects are reachable. But a g, an m and
a p are full of numbers that are no pointers (g.stack, gobuf.sp, m.morebuf, p.wbBuf: runtime2.go,
mwbbuf.go, Go 1.21 to 1.27): theirs are not looked at.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence

import msgspec

from goprobe.errors import UnreadableError
from goprobe.process.memory.memory import Memory
from goprobe.runtime.goroutines.goroutines import Goroutine
from goprobe.runtime.layout.record import read_numbers
from goprobe.runtime.roots.ownpointers import OwnPointer, OwnPointers
from goprobe.runtime.world import World

_WORD = 8
_MOST = 32 << 20
"""Bytes: of more the graph is as quick."""
_MOST_WORDS = 1 << 12
_MOST_SPECIALS = 1 << 12
_PAGE = 11
"""As a power of two: no stack is smaller (stackMin, runtime/stack.go, Go 1.21 to 1.27)."""
_SPECIAL = 64
"""No kind of special is longer (mheap.go, mfinal.go, mcleanup.go: Go 1.21 to 1.27)."""
_FIELDS = ("startAddr", "npages", "state", "spanclass", "elemsize", "specials")
_ASIDE = ("waiting", "runnable", "preempted")
_NOSCAN = 1  # of a spanclass, see src/runtime/mheap.go


class _Area(msgspec.Struct, frozen=True):
    """Memory to be looked at. `slot`: the size of its objects, 0 where it is a large one, or no
    object; `own` is the stack that it is, into which its words may lead."""

    low: int
    high: int
    slot: int = 0
    own: int = 0


def may_lead_into_stacks(world: World, memory: Memory) -> bool:
    """False where nothing does but what the runtime keeps by right. Raises UnreadableError."""
    stacks = _Stacks(world)
    areas = list(_areas(world, memory))
    if not stacks.lows or sum(a.high - a.low for a in areas) > _MOST:
        return bool(stacks.lows)
    left, own = _MOST_WORDS, _Own(world)
    for low, high, parts in _runs(areas):
        data = memory.read(low, high - low)
        for area in parts:
            words = data[area.low - low : area.high - low]
            values = stacks.among(words, area.own)
            left -= len(values)
            for value in values if left > 0 else ():
                if not all(own.explains(area, at, value) for at in _at(words, value)):
                    return True
            if left <= 0:
                return True
    return False


class _Stacks:
    """Where the stacks of goroutines lie."""

    def __init__(self, world: World) -> None:
        stacks = sorted({(g.low, g.high) for g in world.goroutines.known if g.low})
        self.lows = [low for low, _ in stacks]
        self._highs = [high for _, high in stacks]
        self._pages = frozenset(
            page for low, high in stacks for page in range(low >> _PAGE, (high - 1 >> _PAGE) + 1)
        )

    def among(self, words: bytes, own: int) -> list[int]:
        """Which of these words lead into one, but for the one at `own`."""
        pages = self._pages
        near = [v for v in set(memoryview(words).cast("Q")) if v >> _PAGE in pages]
        return [v for v in near if self._lead(v, own)]

    def _lead(self, value: int, own: int) -> bool:
        at = bisect_right(self.lows, value) - 1
        return value < self._highs[at] and self.lows[at] != own


def _areas(world: World, memory: Memory) -> Iterator[_Area]:
    """All that may hold a root or an object's pointer, and that can be read at all."""
    for module in world.modules:
        for section in ("data", "bss"):
            low, high = module.span(section)
            if low < high:
                yield _Area(low, high - (high - low) % _WORD)
    for g in world.goroutines.known:
        if g.low and not g.dead:
            yield _Area(_used_from(g), g.high, own=g.low)
    heap, layout = world.heap, world.layout
    struct, in_use = layout.struct("mspan"), layout.constants["mSpanInUse"]
    places = [(struct.fields[name].offset, struct.fields[name].size) for name in _FIELDS]
    heads = []
    for _, numbers in read_numbers(memory, struct, heap.span_pointers(), places):
        base, pages, state, spanclass, size, special = numbers
        if state == in_use and not spanclass & _NOSCAN:
            yield _Area(base, base + pages * heap.page_size, size if spanclass >> 1 else 0)
        if state == in_use and special:
            heads.append(special)
    yield from _specials(world, memory, heads)


def _used_from(g: Goroutine) -> int:
    """Where what a stack holds begins, or before that: while it runs that is not noted. The lowest
    word may be the link of a list of free stacks, and is below what any frame uses."""
    aside = g.status in _ASIDE and g.low < g.sp < g.high and g.sp % _WORD == 0
    return g.sp if aside else g.low + _WORD


def _specials(world: World, memory: Memory, heads: Sequence[int]) -> Iterator[_Area]:
    """What the runtime notes of objects beside the heap."""
    following = world.layout.offset("special", "next")
    seen: set[int] = set()
    while heads:
        heads = [at for at in dict.fromkeys(heads) if at not in seen]
        seen.update(heads)
        if len(seen) > _MOST_SPECIALS:
            raise UnreadableError(heads[0], _SPECIAL, "there are very many specials")
        copies = memory.read_many([(at, _SPECIAL) for at in heads])
        for at, data in zip(heads, copies, strict=True):
            if data is None:
                raise UnreadableError(at, _SPECIAL)
            yield _Area(at, at + _SPECIAL)
        nexts = (int.from_bytes(d[following : following + _WORD], "little") for d in copies if d)
        heads = [at for at in nexts if at]


def _runs(areas: Sequence[_Area]) -> Iterator[tuple[int, int, list[_Area]]]:
    """Neighbours together: [low, high) to be read at once, and what lies in it."""
    parts: list[_Area] = []
    for area in sorted(areas, key=lambda a: (a.low, a.high)):
        if parts and area.low != parts[-1].high:
            yield parts[0].low, parts[-1].high, parts
            parts = []
        parts.append(area)
    if parts:
        yield parts[0].low, parts[-1].high, parts


def _at(words: bytes, value: int) -> Iterator[int]:
    """Where a word stands."""
    pattern, at = value.to_bytes(_WORD, "little"), -1
    while (at := words.find(pattern, at + 1)) >= 0:
        if at % _WORD == 0:
            yield at


class _Own:
    """What the runtime keeps of stacks by right."""

    def __init__(self, world: World) -> None:
        self._own, self._heap, layout = OwnPointers(world), world.heap, world.layout
        goroutines = world.goroutines
        structs = [(g.address, "g") for g in goroutines.known]
        structs += [(a, "g") for t in goroutines.threads for a in (t.g0, t.gsignal) if a]
        structs += [(t.address, "m") for t in goroutines.threads]
        structs += [(p, "p") for p in goroutines.processors if p]
        ranges = sorted((at, at + layout.struct(name).size) for at, name in structs)
        self._lows, self._highs = [low for low, _ in ranges], [high for _, high in ranges]
        self._header = layout.constants.get("mallocHeaderSize", 0)

    def explains(self, area: _Area, at: int, value: int) -> bool:
        """Of a word that stands so far into an area."""
        place = area.low + at
        struct = bisect_right(self._lows, place) - 1
        if struct >= 0 and place < self._highs[struct]:
            return True
        if self._is_free(place):
            return True
        slot = at - at % area.slot if area.slot else 0
        # From Go 1.25 on sudog.elem is told twice, by a number behind the pointer
        # (runtime2.go, maybeTraceablePtr).
        pointers = [
            OwnPointer(area.low + slot + lead, at - slot - lead - behind, value)
            for lead in dict.fromkeys((0, self._header))
            for behind in (0, _WORD)
        ]
        return any(self._own.explained(pointers))

    def _is_free(self, place: int) -> bool:
        """Whether it lies where a span of the heap has no object: in a free slot, or behind all."""
        span = self._heap.span_at(place)
        if span is None or not self._heap.in_use(span):
            return False
        held = self._heap.object_at(span, place)
        return held is None or not held.allocated
