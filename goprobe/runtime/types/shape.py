"""What a type means for the pointers of its values: word by word, what each one points at."""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum

import msgspec
import numpy as np

from goprobe.binary.dwarf.gotypes import GoType
from goprobe.errors import NotGoError, UnreadableError
from goprobe.runtime.heap.spantable import Ints

WORD = 8
SLOTS_LIMIT = 1 << 16  # pointers of one type that are looked at
DEPTH_LIMIT = 32  # of types within types
ATOMIC_POINTER = "sync/atomic.Pointer["
WEAK_POINTER = "weak.Pointer["
"""Its pointer leads to a handle of the runtime's, not to what it is one to (src/weak/pointer.go,
src/runtime/mheap.go, getOrAddWeakHandle, Go 1.24 to 1.27)."""
GENERIC = "go.shape."
MAP_INSIDE, MAP_ENTRIES = (" table", " directory"), (" groups", " buckets")
ARRAYS = (" backing", " buffer")
"""How the names end of what maps, slices and channels are made of."""
_WORDS_LIMIT = 1 << 21


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
    SLICE = 9  # points into an array of them; two words on stands how many follow
    TEXT = 10  # points at a string's bytes
    CHAN = 11  # points at a channel, which says itself what it carries
    REFLECTED = 12  # a reflect.Value's; the word before is its type, that behind has its flags


class Shape(msgspec.Struct, frozen=True):
    """`words` is the length after which it repeats, 0 where that is not known.

    `rules` has an entry for each word: Rule and the number of the shape pointed at. `go_type` is
    what the debug information says of it, where it does. `part`: what is known is only that a value
    of the shape of that number lies so many bytes into it.
    """

    name: str
    size: int
    words: int
    pointers: bool
    rules: tuple[Ints, Ints]
    go_type: GoType | None = None
    part: tuple[int, int] = (0, 0)


BEHIND: dict[tuple[str, str], tuple[Rule, str]] = {
    ("sync.Pool", "local"): (Rule.ARRAY, "sync.poolLocal"),
    ("sync.Pool", "victim"): (Rule.ARRAY, "sync.poolLocal"),
    ("sync.eface", "val"): (Rule.EFACE, ""),
    ("runtime.sudog", "c"): (Rule.CHAN, ""),
    ("reflect.Value", "ptr"): (Rule.REFLECTED, ""),
}
"""What lies behind unsafe.Pointers of the standard library (src/sync/pool.go, poolqueue.go,
src/runtime/runtime2.go, src/reflect/value.go, Go 1.21 to 1.27): by struct and field the rule and
the type's name."""

HCHAN = "runtime.hchan"
TRIE_NODE = "internal/sync.node["
TRIE_PARTS = ("internal/sync.indirect[", "internal/sync.entry[")
"""A node of a hash trie is the beginning of one of these."""

NO_RULES = (np.zeros(1, np.int64), np.zeros(1, np.int64))
UNKNOWN = Shape("?", 0, 0, True, NO_RULES)
Meaning = tuple[Rule, int]
"""What a pointer means, and the number of the shape that it points at."""
Slots = dict[int, Meaning]
"""By word what the pointer there means."""


class About(msgspec.Struct, frozen=True):
    """What is known of a shape before it is read. `rtype` is the type's descriptor (of an array
    that of its elements), 0 where it has none. `special`: its name says more than any pointer to
    the struct that the runtime calls it by. `header`: the descriptor of the map type whose header
    it is, 0 where debug information tells, or it is none."""

    rtype: int = 0
    array: bool = False
    special: bool = False
    header: int = 0


def special() -> About:
    return About(special=True)


class Numbers:
    """Every shape of one snapshot, numbered from 1 on, each made when it is first looked at."""

    def __init__(self) -> None:
        self._numbers: dict[tuple[object, ...], int] = {}
        self._makers: list[Callable[[], Shape]] = [lambda: UNKNOWN]
        self._made: dict[int, Shape] = {0: UNKNOWN}
        self.about: list[About] = [About()]

    def __len__(self) -> int:
        return len(self._makers)

    def __getitem__(self, number: int) -> Shape:
        shape = self._made.get(number)
        if shape is None:
            try:
                shape = self._makers[number]()
            except (KeyError, NotGoError, UnreadableError):
                shape = UNKNOWN
            self._made[number] = shape
        return shape

    def number(
        self,
        key: tuple[object, ...],
        make: Callable[[], Shape],
        about: Callable[[], About] = About,
    ) -> int:
        """The number of the shape that `key` stands for, which `make` makes."""
        number = self._numbers.get(key)
        if number is None:
            number = self._numbers[key] = len(self._makers)
            self._makers.append(make)
            self.about.append(about())
        return number

    def named(self, name: str, size: int = 0, pointers: bool = False) -> int:
        """A shape without pointers that are known, by its name alone."""
        return self.number(("name", name), lambda: Shape(name, size, 0, pointers, NO_RULES))

    def group_of_table(self, number: int) -> tuple[int, int]:
        """Of a Swiss map's table shape: the shapes of its directory and of its groups."""
        table = self[number]
        rules, shapes = table.rules
        groups = next((int(s) for r, s in zip(rules, shapes, strict=True) if r == Rule.ARRAY), 0)
        name = table.name.removesuffix(" table")
        directory = self.number(
            ("directory", number),
            lambda: shape_of(f"{name} directory", WORD, True, {0: (Rule.ONE, number)}),
            special,
        )
        return directory, groups

    @property
    def text(self) -> int:
        return self.named("string data", 1)

    @property
    def weak_handle(self) -> Meaning:
        """What the pointer of a weak.Pointer means."""
        return Rule.ONE, self.named("internal/runtime/atomic.Uintptr", WORD)


def shape_of(name: str, size: int, pointers: bool, slots: Slots, *, repeats: bool = True) -> Shape:
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
