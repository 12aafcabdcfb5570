"""Stacks that are like one that was walked before: programs park thousands in one place.

A goroutine that waits at the same pc, with as much of its stack in use and the same return
addresses at the same places, stands in the same frames. So its pointers lie at the same places,
and it need not be walked: a template says where they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from itertools import pairwise

import msgspec
from msgspec.structs import replace

from goprobe.runtime.goroutines.goroutines import Goroutine
from goprobe.runtime.roots.frameshapes import FrameVariable
from goprobe.runtime.stacks.unwind import MachineFrame, is_hard

_WORD = 8
_MOST_ALIKE = 8


class PointerSlot(msgspec.Struct, frozen=True):
    """A word that holds a pointer: `index` words from sp, in a frame whose CFA is `cfa` bytes from
    sp; `variable` is what it is part of. `standing` are the calls that led there (RootGroup)."""

    index: int
    cfa: int
    function: str
    variable: FrameVariable
    standing: tuple[int, ...]

    @property
    def beside(self) -> tuple[int, ...]:
        """The words of the stack, counted from sp, that are of the same value."""
        return tuple((self.cfa + at) // _WORD for at in self.variable.words if at is not None)


class Template(msgspec.Struct, frozen=True, dict=True):
    """`size` bytes from sp to the stack's high end. `returns` are the words (index, value) that
    make it this stack: return addresses, and those of closures' code. `leads` are the words that
    may point at values on the stack itself, and `objects` where such lie, in bytes from sp, as the
    compiler lists them. `pointing` are the words that point at one (index, how many bytes from sp),
    each of which is reached by it: a stack of which other words do, or these elsewhere, is another.
    """

    size: int
    returns: tuple[tuple[int, int], ...]
    slots: tuple[PointerSlot, ...]
    leads: tuple[int, ...]
    objects: tuple[tuple[int, int], ...]
    pointing: tuple[tuple[int, int], ...] = ()

    def fits(self, words: Sequence[int], low: int, high: int) -> bool:
        """Whether a stack [low, high) with these words from its sp on is such a one, and leads to
        the same words of it."""
        sp = high - self.size
        if any(words[i] != value for i, value in self.returns):
            return False
        if any(words[i] != sp + at for i, at in self.pointing):
            return False
        return not any(
            low <= words[i] < high and self._at_object(words[i] - sp) for i in self.others
        )

    @cached_property
    def others(self) -> tuple[int, ...]:
        """The words that may point at values on the stack, and do not."""
        pointing = {i for i, _ in self.pointing}
        return tuple(i for i in self.leading if i not in pointing)

    @property
    def leading(self) -> tuple[int, ...]:
        """The words that may point at values on the stack."""
        return (*self.leads, *(slot.index for slot in self.slots)) if self.objects else ()

    def _at_object(self, at: int) -> bool:
        return any(begin <= at < end for begin, end in self.objects)

    def with_pointing(self, words: Sequence[int], low: int, high: int) -> Template:
        """With what points at its objects on the stack that was walked for it."""
        sp = high - self.size
        at = {i: words[i] - sp for i in self.leading if low <= words[i] < high}
        pointing = tuple((i, to) for i, to in at.items() if self._at_object(to))
        return replace(self, pointing=pointing)


class Templates:
    """Those that are known, by where a goroutine waits and how much stack it uses."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, int], list[Template]] = {}

    def of(self, g: Goroutine) -> Sequence[Template]:
        return self._known.get(_key(g), ()) if _plain(g) else ()

    def wanted(self, g: Goroutine) -> bool:
        """Whether a template of this goroutine's stack would be of use."""
        return _plain(g) and len(self._known.get(_key(g), ())) < _MOST_ALIKE

    def learn(self, g: Goroutine, template: Template) -> None:
        """Keep a template; to be asked before: whether it is `wanted`."""
        self._known.setdefault(_key(g), []).append(template)


def returns_of(
    g: Goroutine, frames: Sequence[MachineFrame], words: Sequence[int]
) -> tuple[tuple[int, int], ...] | None:
    """The return addresses by which a walked stack is known again; None where that is not enough:
    the walk went by other means, or the goroutine was not parked in order."""
    if not (_plain(g) and frames and frames[0].sp == g.sp and frames[0].pc == g.pc):
        return None
    if any(not _certain(frame) for frame in frames):
        return None
    returns = []
    for inner, outer in pairwise(frames):
        index, rest = divmod(inner.cfa - _WORD - g.sp, _WORD)
        if rest or outer.sp != inner.cfa or not 0 <= index < len(words):
            return None
        if words[index] != outer.pc:
            return None
        returns.append((index, outer.pc))
    return tuple(returns)


def codes_of(slots: Iterable[PointerSlot]) -> Iterator[tuple[int, int]]:
    """The words that begin the closures on a stack: each one's code."""
    for slot in slots:
        if slot.variable.code:
            yield (slot.cfa + slot.variable.low) // _WORD, slot.variable.code


def inside(words: Sequence[int], indexes: Iterable[int]) -> bool:
    return all(0 <= index < len(words) for index in indexes)


def _certain(frame: MachineFrame) -> bool:
    spot = frame.spot
    return not (spot is None or frame.trap or frame.guessed or frame.stack or is_hard(spot))


def _plain(g: Goroutine) -> bool:
    return g.status == "waiting" and g.sp % _WORD == 0 and g.low <= g.sp < g.high


def _key(g: Goroutine) -> tuple[int, int]:
    return g.pc, g.high - g.sp


def key_of(g: Goroutine) -> tuple[int, int] | None:
    """What goroutines have in common whose stacks may be alike; None of one that stands alone."""
    return _key(g) if _plain(g) and not g.dead else None
