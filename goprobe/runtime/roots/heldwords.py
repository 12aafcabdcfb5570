"""What is known of the variables of a frame that stands anywhere: the runtime has no map of it, and
finds what it keeps by the words of its frame and registers alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import msgspec

from goprobe.binary.dwarf.gotypes import GoType
from goprobe.runtime.goroutines.goroutines import Goroutine
from goprobe.runtime.roots.groups import Roots
from goprobe.runtime.roots.stackgroups import StackGroups

_WORD = 8
MAY_BE = "a word that may be a pointer"


class HeldWord(msgspec.Struct, frozen=True):
    """A word of a variable of a function that is a pointer: number `at` of the variable's `words`.
    `address` is where the variable lies, 0 where that is in registers."""

    name: str
    type: GoType
    function: str
    address: int
    at: int
    words: tuple[int, ...]


Held = Callable[[Goroutine], Sequence[HeldWord]]


def nothing_held(_g: Goroutine) -> Sequence[HeldWord]:
    """Where nobody has looked."""
    return ()


def add_held(
    roots: Roots, groups: StackGroups, known: Iterable[HeldWord], bounds: tuple[int, int]
) -> set[tuple[int, int]]:
    """Those that lead into a heap within [low, high), each by its address and value, and what
    registers have of them. A word that is in no memory is a group for itself."""
    words: set[tuple[int, int]] = set()
    for number, held in enumerate(known):
        value, placed = held.words[held.at], bool(held.address)
        if not bounds[0] <= value < bounds[1]:
            continue
        owner = groups.of(
            (held.address or -1 - number, held.name, 0),
            held.name,
            function=held.function,
            address=held.address,
            type=held.type,
            words=() if placed else held.words,
            at=0 if placed else held.at,
        )
        address = held.address + _WORD * held.at if placed else 0
        roots.add(owner, address, value)
        words |= {(address, value), (0, value)}
    return words
