"""What a program of this kind has told of itself (prelude.go)."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property

_PATH = re.compile(r"(?:[\w.~-]+/)+")
_LOCAL = re.compile("·[0-9]+")


@dataclass(frozen=True, slots=True)
class TypeSaid:
    name: str
    size: int


@dataclass(frozen=True, slots=True)
class ObjectSaid:
    """`what` it was made for: value, array, map, chan, closure, text."""

    what: str
    address: int
    count: int
    type: int
    size: int

    @property
    def end(self) -> int:
        return self.address + max(self.size, 1)


@dataclass
class Said:
    types: dict[int, TypeSaid] = field(default_factory=dict)
    parts: dict[int, list[tuple[int, int, int]]] = field(default_factory=lambda: defaultdict(list))
    objects: list[ObjectSaid] = field(default_factory=list)
    also: dict[int, str] = field(default_factory=dict)
    code: dict[int, str] = field(default_factory=dict)
    pointers: dict[int, int] = field(default_factory=dict)
    """Where pointers lie, and where they led in the end."""
    holds: list[tuple[int, int]] = field(default_factory=list)
    roots: list[tuple[int, int, str]] = field(default_factory=list)
    gone: list[int] = field(default_factory=list)
    kept: list[int] = field(default_factory=list)
    attached: list[tuple[int, int, bool]] = field(default_factory=list)
    """An object, what is kept as long as that is there, and whether a finalizer keeps it."""
    points: set[tuple[int, int, int]] = field(default_factory=set)
    """Where values of a type lie, as pointers of the library's values say, and how many."""
    closures: dict[int, str] = field(default_factory=dict)
    heap_objects: int = 0
    heap_bytes: int = 0
    threads: int = 0

    def begun_anew(self, made: ObjectSaid) -> None:
        """Forget what lay where an object is made."""
        for slot in [slot for slot in self.pointers if made.address <= slot < made.end]:
            del self.pointers[slot]
        self.holds = [h for h in self.holds if not made.address <= h[0] < made.end]
        self.attached = [a for a in self.attached if not made.address <= a[0] < made.end]
        self.objects = [o for o in self.objects if o.end <= made.address or made.end <= o.address]

    @cached_property
    def _by_name(self) -> dict[str, list[int]]:
        found: dict[str, list[int]] = {}
        for number, kind in self.types.items():
            found.setdefault(_plain(kind.name), []).append(number)
        return found

    def types_named(self, name: str) -> list[int]:
        """Types of a name; of different packages of the same last name there may be several."""
        return self._by_name.get(_plain(name), [])

    @property
    def edges(self) -> list[tuple[int, int]]:
        return list(self.pointers.items())

    @cached_property
    def by_address(self) -> list[ObjectSaid]:
        return sorted(self.objects, key=lambda o: o.address)


def read(lines: Iterable[str]) -> Said:
    said = Said()
    waiting: list[list[str]] = []
    late = False
    for line in lines:
        word, *rest = line.split(" ")
        numbers = [int(r) for r in rest if r.isdecimal()]
        match word:
            case "type":
                said.types[numbers[0]] = TypeSaid(" ".join(rest[2:]), numbers[1])
            case "also":
                said.also[numbers[0]] = " ".join(rest[1:])
            case "part":
                said.parts[numbers[0]].append((numbers[1], numbers[2], numbers[3]))
            case "object":
                waiting.append(rest)
                if late:
                    said.begun_anew(_object(said, rest))
            case "late":  # what is told of from now on may lie where something else was
                late = True
                said.objects = [_object(said, about) for about in waiting]
                waiting = []
            case "code":
                said.code[numbers[0]] = rest[1]
            case "edge":
                said.pointers[numbers[0]] = numbers[1]
            case "holds":
                said.holds.append((numbers[0], numbers[1]))
            case "root":
                said.roots.append((numbers[0], numbers[1], rest[2]))
            case "gone":
                said.gone.append(numbers[0])
            case "points":
                said.points.add((numbers[0], numbers[1], numbers[2]))
            case "closures":
                said.closures[numbers[0]] = rest[1]
            case "kept":
                said.kept.append(numbers[0])
            case "attached":
                said.attached.append((numbers[0], numbers[1], bool(numbers[2])))
            case "stats":
                said.heap_objects, said.heap_bytes, said.threads = numbers
    said.objects += [_object(said, about) for about in waiting]
    return said


def _object(said: Said, about: list[str]) -> ObjectSaid:
    what, (address, count, kind) = about[0], map(int, about[1:])
    size = said.types[kind].size * count if what in ("value", "array", "text") else 0
    return ObjectSaid(what, address, count, kind, size)


def same_type(one: str, other: str) -> bool:
    return _plain(one) == _plain(other)


def _plain(name: str) -> str:
    """As reflect writes it: without import paths, and without the numbers of types that are local
    to functions."""
    name = _PATH.sub("", name.replace("interface {}", "any"))
    return _LOCAL.sub("", name).replace(" ", "")


class Parts:
    """Which types lie at which places of a type."""

    def __init__(self, said: Said) -> None:
        self._said = said

    def holds(self, kind: int, name: str, at: int | None = None, *, base: int = 0) -> bool:
        """Whether a value of the type has a part called so (at an offset)."""
        said = self._said
        about = said.types[kind]
        if same_type(about.name, name) and (at is None or at == base):
            return True
        for offset, part, count in said.parts.get(kind, ()):
            size = said.types[part].size
            if at is None:
                if self.holds(part, name):
                    return True
            elif size and base + offset <= at < base + offset + size * count:
                nth = (at - base - offset) // size
                if self.holds(part, name, at, base=base + offset + nth * size):
                    return True
        return False


def at_address(objects: list[ObjectSaid], address: int) -> ObjectSaid | None:
    """The object that covers an address, of those in the order of addresses."""
    at = bisect_right(objects, address, key=lambda o: o.address) - 1
    return objects[at] if at >= 0 and objects[at].address <= address < objects[at].end else None
