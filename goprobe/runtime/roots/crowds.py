"""Many goroutines that stand in the same frames: their roots are read at once, and are one group.

What tells that they do is a template of one of them, which was walked (see `templates`).
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from goprobe.binary.dwarf.gotypes import GoKind
from goprobe.counts import counted
from goprobe.process.memory.copies import MISSING, Words, copy_ranges
from goprobe.process.memory.memory import Memory
from goprobe.runtime.goroutines.goroutines import Goroutine
from goprobe.runtime.heap.spantable import Ints
from goprobe.runtime.layout.layout import Layout
from goprobe.runtime.roots.frameshapes import FrameVariable
from goprobe.runtime.roots.groups import RootGroup, RootKind, Roots
from goprobe.runtime.roots.templates import PointerSlot, Template, key_of

_WORD = 8
_MANY = 100  # goroutines that stand alike: fewer are read one by one
_POINTERS = (GoKind.POINTER, GoKind.MAP, GoKind.CHAN, GoKind.FUNC, GoKind.UNSAFE_POINTER)


class Members(msgspec.Struct, frozen=True):
    """Goroutines as columns: the address of each g, and where its stack is in use."""

    address: Words
    sp: Words
    low: Words
    high: Words

    def take(self, rows: NDArray[np.generic]) -> Members:
        return Members(self.address[rows], self.sp[rows], self.low[rows], self.high[rows])

    def __len__(self) -> int:
        return len(self.sp)


def columns(goroutines: Sequence[Goroutine]) -> Members:
    rows = [(g.address, g.sp, g.low, g.high) for g in goroutines]
    return Members(*np.array(rows, np.uint64).reshape(-1, 4).T.copy())


def crowds(goroutines: Iterable[Goroutine]) -> tuple[list[list[Goroutine]], list[Goroutine]]:
    """Those of which many wait at one place, with as much of their stacks in use; and the rest."""
    by_place: dict[tuple[int, int] | None, list[Goroutine]] = {}
    for g in goroutines:
        by_place.setdefault(key_of(g), []).append(g)
    rest = by_place.pop(None, [])
    large = [some for some in by_place.values() if len(some) >= _MANY]
    return large, rest + [g for some in by_place.values() if len(some) < _MANY for g in some]


class Crowd:
    """What stands on the stacks of some goroutines, so far as a template looks at it."""

    def __init__(self, memory: Memory, layout: Layout, members: Members, size: int) -> None:
        copy = copy_ranges(memory, members.sp, size)
        place = copy.positions(members.sp, size)
        there = place != MISSING
        self.members = members
        self._words = copy.words
        self._at = np.where(there, place, 0) >> 3
        self.fit = there & ~_deferring(memory, layout, members)

    def word(self, index: int) -> Words:
        """A word of each one's stack; of what was not copied any."""
        if not len(self._words):
            return np.zeros(len(self._at), np.uint64)
        words: Words = self._words[np.minimum(self._at + index, len(self._words) - 1)]
        return words

    def word_of(self, row: int, index: int) -> int:
        """A word of the stack of one of them."""
        at = int(self._at[row]) + index
        return int(self._words[at]) if at < len(self._words) else 0

    def fits(self, template: Template) -> NDArray[np.bool_]:
        """As Template.fits, of each."""
        fit: NDArray[np.bool_] = self.fit.copy()
        for index, value in template.returns:
            fit &= self.word(index) == np.uint64(value)
        for index, to in template.pointing:
            fit &= self.word(index) == self.members.sp + np.uint64(to)
        for index in template.others:
            word = self.word(index)
            inside = (word >= self.members.low) & (word < self.members.high)
            at = (word - self.members.sp).astype(np.int64)
            for begin, end in template.objects:
                fit &= ~(inside & (at >= begin) & (at < end))
        return fit


def _deferring(memory: Memory, layout: Layout, members: Members) -> NDArray[np.bool_]:
    """Those with deferred calls or panics, and those of which that cannot be read."""
    some = np.zeros(len(members), np.bool_)
    if not layout.has("_defer"):
        return some
    offsets = [layout.offset("g", name) for name in ("_defer", "_panic")]  # neighbours: one read
    low, size = min(offsets), max(offsets) - min(offsets) + _WORD
    copy = copy_ranges(memory, members.address + np.uint64(low), size)
    at = copy.positions(members.address + np.uint64(low), size)
    there = np.flatnonzero(at != MISSING)
    some[at == MISSING] = True
    for offset in offsets:
        some[there] |= copy.numbers(at[there] + (offset - low), _WORD) != 0
    return some


Alone = Callable[[int, PointerSlot, int, int], None]
"""Takes a root that is like no other: the row of its goroutine, its slot, place and value."""


def crowd_group(roots: Roots, members: Members, function: str) -> int:
    """The group of all roots of goroutines that stand alike."""
    count = len(members)
    name = f"{counted(count, 'goroutine')} in {function}"
    gs = array("Q", members.address.tobytes())
    return roots.group(
        RootGroup(kind=RootKind.GOROUTINE, name=name, function=function, several=count, gs=gs)
    )


def is_many(count: int) -> bool:
    return count >= _MANY


def add(
    roots: Roots, owner: int, crowd: Crowd, rows: Ints, template: Template,
    known: Callable[[Words, Words], NDArray[np.bool_]], reach: tuple[int, int], alone: Alone,
) -> None:  # fmt: skip
    """The roots of those in a crowd whom a template fits, as one group for each variable.

    Variables of several words, and temporaries that are `known` to channels (by the addresses of
    the g structs, and where they lie), which tell more of them, are left to `alone`. [low, high) in
    `reach` is the heap.
    """
    groups: dict[tuple[int, str, int], int] = {}
    for slot in template.slots:
        variable, value = slot.variable, crowd.word(slot.index)[rows]
        place = crowd.members.sp[rows] + np.uint64(slot.index * _WORD)
        near = (value >= np.uint64(reach[0])) & (value < np.uint64(reach[1]))
        # An address of one's own stack, which lies in the heap's arenas, is no root.
        near &= (value < crowd.members.low[rows]) | (value >= crowd.members.high[rows])
        shared = near & np.bool_(_is_alone(variable) or _is_pointer(slot))
        if variable.type is None and near.any():
            shared &= ~known(crowd.members.address[rows], place)
        if shared.any():
            key = (slot.cfa, variable.name, variable.low)
            if key not in groups:
                groups[key] = roots.group(
                    RootGroup(
                        kind=RootKind.VARIABLE, name=variable.name, parent=owner,
                        type=variable.type, function=slot.function, several=len(rows),
                        standing=slot.standing, place=variable.low,
                    )
                )  # fmt: skip
            count = int(shared.sum())
            roots.add_many(np.full(count, groups[key], np.int32), place[shared], value[shared])
        for row in np.flatnonzero(near & ~shared).tolist():
            alone(int(rows[row]), slot, int(place[row]), int(value[row]))


def _is_alone(variable: FrameVariable) -> bool:
    """Whether it is one word, of which nothing tells more than what stands there."""
    return variable.type is None and not variable.code


def _is_pointer(slot: PointerSlot) -> bool:
    """Whether the slot is all of a variable, so that nothing beside it tells more."""
    v = slot.variable
    kind = v.type.kind if v.type else GoKind.INVALID
    return kind in _POINTERS and slot.index * _WORD == slot.cfa + v.low
