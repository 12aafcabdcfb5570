"""What Go says of types, by their names as the debug information has them: what is assigned to
what, has an order, is equal to another, is nil. Source: the Go Programming Language Specification,
Assignability, Comparison operators.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from goprobe.api.script.gonumbers import ALIASES, BITS, FLOATS

Kinds = Callable[[str], str]
"""The kind of a type that has a name of its own; "" where that is not known."""

WITH_METHODS = "interface with methods"
_KINDS = {
    "*": "pointer", "[]": "slice", "[": "array", "map[": "map", "func(": "func", "chan ": "chan",
    "<-chan ": "chan", "chan<- ": "chan", "struct {": "struct",
}  # fmt: skip
_SIMPLE = frozenset({*BITS, *FLOATS, "string", "bool", "complex64", "complex128"})
NILABLE = frozenset({"pointer", "slice", "map", "func", "chan", "unsafe_pointer"})
INTERFACES = frozenset({"interface", WITH_METHODS})
_EQUAL_TO_NIL_ALONE = frozenset({"slice", "map", "func"})
_SHAPE = "go.shape."
_COUNT = re.compile(r"\*?\[(\d+)\]")


def kind_by_name(name: str, kinds: Kinds) -> str:
    """As reflect calls it; "" where it is not known."""
    name = ALIASES.get(name, name)
    if name in _SIMPLE:
        return name
    if name in ("any", "interface {}"):
        return "interface"
    if name == "error" or name.startswith("interface {"):
        return WITH_METHODS
    if name == "unsafe.Pointer":
        return "unsafe_pointer"
    told = next((kind for start, kind in _KINDS.items() if name.startswith(start)), "")
    return told or kinds(name)


def is_named(name: str) -> bool:
    """Whether a type has a name of its own, as those of the language have."""
    return not name.startswith((*_KINDS, "interface {"))


def is_assignable(one: str, other: str, kinds: Kinds) -> bool:
    """A value of one type to the other or the other way round, neither an interface; true, too,
    where the names do not say it."""
    if one == other:
        return True
    if _SHAPE in one or _SHAPE in other:  # of a shape the underlying type is known, and no more
        of_one, of_other = (kind_by_name(n.removeprefix(_SHAPE), kinds) for n in (one, other))
        return not of_one or not of_other or of_one == of_other
    if is_named(one) and is_named(other):
        return ALIASES.get(one, one) == ALIASES.get(other, other)
    of_one, of_other = kind_by_name(one, kinds), kind_by_name(other, kinds)
    if of_one == of_other == "chan" and not is_named(one) and not is_named(other):
        return one.rpartition("chan")[2].strip("- ") == other.rpartition("chan")[2].strip("- ")
    if is_named(one) or is_named(other):
        return not of_one or not of_other or of_one == of_other
    return False


def is_equal_to_nil_alone(kind: str) -> bool:
    return kind in _EQUAL_TO_NIL_ALONE


def implements(kind: str, name: str, interface: str) -> bool:
    """Whether a type may be an interface's; what has no methods is those' that want none."""
    if interface != WITH_METHODS:
        return True
    if kind == name or name in ALIASES:
        return False  # one of the language's own
    return is_named(name) or kind in ("pointer", "struct", *INTERFACES)


def count_of(name: str) -> int | None:
    """How many elements an array has, or one that a pointer leads to."""
    told = _COUNT.match(name)
    return int(told[1]) if told else None


def key_type(name: str) -> str:
    """K of map[K]V, "" where the name does not say it."""
    return _split(name)[0]


def element_type(name: str) -> str:
    """V of it."""
    return _split(name)[1]


def _split(name: str) -> tuple[str, str]:
    if not name.startswith("map["):
        return "", ""
    depth = 0
    for at, letter in enumerate(name):
        depth += (letter == "[") - (letter == "]")
        if letter == "]" and not depth:
            return name[4:at], name[at + 1 :]
    return "", ""
