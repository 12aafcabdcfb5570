"""The types of a program: random, nested, and recursive through pointers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, auto

from scripts.truths.choices import Choices


class Sort(Enum):
    SCALAR = auto()
    STRING = auto()
    POINTER = auto()
    SLICE = auto()
    ARRAY = auto()
    STRUCT = auto()
    MAP = auto()
    CHAN = auto()
    FUNC = auto()
    ANY = auto()
    SHAPE = auto()  # an interface with a method that all named structs have
    UNSAFE = auto()
    LIBRARY = auto()  # of the standard library, filled by library.py


@dataclass(frozen=True, slots=True)
class Ty:
    """A Go type as the source spells it. Structs are looked up by name in `Types.structs`; a named
    type of another sort is spelt by its name, and `literal` is what stands behind it."""

    sort: Sort
    name: str
    elem: Ty | None = None
    key: Ty | None = None
    count: int = 0
    literal: str = ""

    @property
    def of(self) -> Ty:
        assert self.elem
        return self.elem


@dataclass(frozen=True, slots=True)
class Part:
    """A field. An embedded one is selected by its type's name."""

    name: str
    type: Ty
    embedded: bool = False


SCALARS = tuple(
    Ty(Sort.SCALAR, name)
    for name in ("int", "uint8", "bool", "int16", "uint32", "float64", "complex128", "uintptr",
                 "int64", "float32")
)  # fmt: skip
INT = SCALARS[0]
STRING = Ty(Sort.STRING, "string")
FUNC = Ty(Sort.FUNC, "func()")
ANY = Ty(Sort.ANY, "any")
SHAPE = Ty(Sort.SHAPE, "Shape")
UNSAFE = Ty(Sort.UNSAFE, "unsafe.Pointer")
NOTHING = Ty(Sort.SCALAR, "struct{}")


GENERIC = """type Box[T any] struct {
	Value T
	Next  *Box[T]
	All   []T
}

type Pair[A, B any] struct {
	First  A
	Second *B
	Other  *Pair[B, A]
}

type Entry[K comparable, V any] struct {
	key        K
	value      V
	prev, next *Entry[K, V]
}

type Cache[K comparable, V any] struct {
	entries map[K]*Entry[K, V]
	oldest  *Entry[K, V]
	free    []*Entry[K, V]
	made    func()
}"""


def pointer(to: Ty) -> Ty:
    return Ty(Sort.POINTER, f"*{to.name}", to)


def slice_of(elem: Ty) -> Ty:
    return Ty(Sort.SLICE, f"[]{elem.name}", elem)


def array_of(elem: Ty, count: int) -> Ty:
    return Ty(Sort.ARRAY, f"[{count}]{elem.name}", elem, count=count)


def map_of(key: Ty, elem: Ty) -> Ty:
    return Ty(Sort.MAP, f"map[{key.name}]{elem.name}", elem, key)


def chan_of(elem: Ty) -> Ty:
    return Ty(
        Sort.CHAN, f"chan {elem.name}" if elem.name[0] != "<" else f"chan ({elem.name})", elem
    )


@dataclass(slots=True)
class Types:
    """The named structs of a program, and how to draw a type."""

    structs: dict[str, tuple[Part, ...]] = field(default_factory=dict)
    keys: list[Ty] = field(default_factory=lambda: [INT, STRING])
    named_types: list[Ty] = field(default_factory=list)
    generic: dict[str, tuple[Part, ...]] = field(default_factory=dict)
    """Instances of generic structs, "Box[*T0]"; known by use."""
    library: tuple[str, ...] = ("sync.Map",)
    """Types of the standard library that the release has; "[T]" stands for one of the program's,
    "[K]" for one that can be compared."""

    def named(self, choices: Choices) -> Ty:
        """A struct of the program."""
        return Ty(Sort.STRUCT, choices.one_of(list(self.structs)))

    def parts(self, struct: Ty) -> tuple[Part, ...]:
        return self.structs.get(struct.name) or self.generic[struct.name]

    def _instance(self, name: str, *parts: Part) -> Ty:
        self.generic[name] = parts
        return Ty(Sort.STRUCT, name)

    def box(self, of: Ty) -> Ty:
        """An instance of the generic struct, which refers to itself."""
        name = f"Box[{of.name}]"
        me = pointer(Ty(Sort.STRUCT, name))
        return self._instance(name, Part("Value", of), Part("Next", me), Part("All", slice_of(of)))

    def pair(self, one: Ty, two: Ty) -> Ty:
        """An instance that refers to the one with the types the other way round."""
        names = [f"Pair[{a.name}, {b.name}]" for a, b in ((one, two), (two, one))]
        swapped = ((names[0], one, two, names[1]), (names[1], two, one, names[0]))
        for name, first, second, other in swapped:
            self._instance(
                name,
                Part("First", first),
                Part("Second", pointer(second)),
                Part("Other", pointer(Ty(Sort.STRUCT, other))),
            )
        return Ty(Sort.STRUCT, names[0])

    def cache(self, key: Ty, of: Ty) -> Ty:
        """A map of entries, which are in a list as well."""
        about = f"[{key.name}, {of.name}]"
        entry = pointer(Ty(Sort.STRUCT, f"Entry{about}"))
        links = (Part(name, entry) for name in ("prev", "next"))
        self._instance(f"Entry{about}", Part("key", key), Part("value", of), *links)
        return self._instance(
            f"Cache{about}",
            Part("entries", map_of(key, entry)),
            Part("oldest", entry),
            Part("free", slice_of(entry)),
            Part("made", FUNC),
        )

    def of_library(self, choices: Choices) -> Ty:
        name = choices.one_of(self.library)
        if name.endswith("[T]"):
            of = self.named(choices)
        elif name.endswith("[K]"):
            of = choices.one_of(self.keys)
        else:
            return Ty(Sort.LIBRARY, name)
        return Ty(Sort.LIBRARY, f"{name[:-3]}[{of.name}]", of)

    def draw(self, choices: Choices, *, depth: int = 3) -> Ty:
        """Any type; what it contains is ever plainer."""
        inner: Callable[[], Ty] = lambda: self.draw(choices, depth=depth - 1)  # noqa: E731
        if depth <= 0:
            return choices.weighted((3, INT), (1, STRING), (2, choices.one_of(SCALARS)))
        make: Callable[[], Ty] = choices.weighted(
            (3, lambda: INT),
            (3, lambda: choices.one_of(SCALARS)),
            (3, lambda: STRING),
            (12, lambda: pointer(self.named(choices))),
            (3, lambda: pointer(inner())),
            (5, lambda: slice_of(self.named(choices))),
            (6, lambda: slice_of(inner())),
            (4, lambda: map_of(choices.one_of(self.keys), inner())),
            (3, lambda: chan_of(inner())),
            (3, lambda: FUNC),
            (3, lambda: ANY),
            (3, lambda: SHAPE),
            (3, lambda: array_of(inner(), choices.between(1, 5))),
            (2, lambda: pointer(self.box(self.draw(choices, depth=min(depth - 2, 1))))),
            (2, lambda: choices.one_of(self.named_types) if self.named_types else INT),
            (1, lambda: UNSAFE),
            (1, lambda: NOTHING),
            (2, lambda: map_of(choices.one_of(self.keys), self.named(choices))),
            (1, lambda: chan_of(choices.one_of(self.keys))),
            (1, lambda: pointer(self.box(pointer(self.box(pointer(self.named(choices))))))),
            (8, lambda: self.of_library(choices)),
            (1, lambda: pointer(self.pair(self.named(choices), choices.one_of(SCALARS)))),
            (1, lambda: pointer(self.pair(pointer(self.named(choices)), slice_of(INT)))),
            (2, lambda: pointer(self.cache(choices.one_of(self.keys), self.named(choices)))),
            (1, lambda: self.cache(choices.one_of(self.keys), self.draw(choices, depth=1))),
        )
        return make()


def draw_types(choices: Choices, library: tuple[str, ...]) -> Types:
    types = Types(library=library)
    count = choices.between(1, 7)
    for number in range(count):  # pointers may lead to any of them, values to those before
        types.structs[f"T{number}"] = ()
    for number in range(choices.between(0, 4)):
        types.named_types.append(_renamed(f"N{number}", types.draw(choices)))
    made = dict[str, tuple[Part, ...]]()
    for number in range(count):
        embeddable = [Ty(Sort.STRUCT, name) for name in made]
        made[f"T{number}"] = _parts(types, choices, embeddable)
    types.structs = made
    for number in range(choices.between(0, 3)):
        size = choices.one_of((2, 15, 17, 40))
        key = Ty(Sort.STRUCT, f"K{number}")
        types.structs[key.name] = (Part("a", STRING), Part("b", array_of(INT, size)))
        types.keys.append(key)
    return types


def _renamed(name: str, kind: Ty) -> Ty:
    """A type of this name, where Go lets it be used like the other."""
    plain = (Sort.STRUCT, Sort.POINTER, Sort.ANY, Sort.SHAPE, Sort.UNSAFE, Sort.LIBRARY)
    if kind.sort in plain or kind.literal:
        kind = slice_of(kind)
    return Ty(kind.sort, name, kind.elem, kind.key, kind.count, kind.name)


def _parts(types: Types, choices: Choices, embeddable: list[Ty]) -> tuple[Part, ...]:
    parts: list[Part] = []
    for i in range(choices.between(1, 7)):
        if embeddable and choices.chance(25):
            part = choices.one_of(embeddable)
            embedded = choices.chance(50) and not any(p.name == part.name for p in parts)
            parts.append(Part(part.name if embedded else f"f{i}", part, embedded))
        else:
            parts.append(Part(f"f{i}", types.draw(choices)))
    if choices.chance(15):  # large enough for other size classes
        parts.append(Part("pad", array_of(SCALARS[1], choices.one_of((100, 500, 3000, 40000)))))
    return tuple(parts)


def declared(part: Part) -> str:
    return part.type.name if part.embedded else f"{part.name} {part.type.name}"
