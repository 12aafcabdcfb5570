"""What the words of a value mean, one by one: for each pointer, what it points at."""

from __future__ import annotations

from enum import IntEnum

import msgspec
import numpy as np

from goprobe.binary.gotypes import GoType
from goprobe.runtime.spantable import Ints

WORD = 8
SLOTS_LIMIT = 1 << 16
SIZE_LIMIT = 1 << 47
_WORDS_LIMIT = 1 << 21
ATOMIC_POINTER = "sync/atomic.Pointer["
TRIE_NODE = "internal/sync.node["


class Rule(IntEnum):
    """What a pointer word means. `NOTHING`: no one knows (unsafe.Pointer)."""

    NOTHING = 0
    ONE = 1  # points at one value of the shape
    ARRAY = 2  # points into an array of them
    ANY = 3  # points at an object of the shape, of whatever size
    EFACE = 4  # the value of an interface; the word before is its type
    IFACE = 5  # the same; the word before is an itab
    FUNC = 6  # points at a closure
    DIRECTORY = 7  # of a Swiss map: at tables, or at the only group where there are none
    TRIE = 8  # at a node of a hash trie, whose first byte says which of two kinds it is


class Shape(msgspec.Struct, frozen=True):
    """`words` is the length after which it repeats, 0 where that is not known.

    `rules` has an entry for each word: Rule and the number of the shape pointed at. `kind` is what
    the debug information says of it, where it does.
    """

    name: str
    size: int
    words: int
    pointers: bool
    rules: tuple[Ints, Ints]
    kind: GoType | None = None


NO_RULES = (np.zeros(1, np.int64), np.zeros(1, np.int64))
UNKNOWN = Shape("?", 0, 0, True, NO_RULES)
Slots = dict[int, tuple[Rule, int]]


def made_of(name: str, size: int, pointers: bool, slots: Slots, *, repeats: bool = True) -> Shape:
    """A shape whose words, by their numbers, mean what `slots` says."""
    words = -(-size // WORD)
    # A corrupt type may claim any size; what lies beyond the limit has no rules.
    last = max((at for at in slots if at < _WORDS_LIMIT), default=0)
    count = max(words, last + 1) if words <= _WORDS_LIMIT else last + 1
    rules, shapes = np.zeros(count, np.int64), np.zeros(count, np.int64)
    for at, (rule, shape) in slots.items():
        if 0 <= at < count:
            rules[at], shapes[at] = rule, shape
    repeats &= words <= _WORDS_LIMIT
    return Shape(name, size, words if repeats else 0, pointers, (rules, shapes))
