"""When two values of the program are equal: as Go's == has it (Go specification, Comparison
operators), and where Go has none, for slices, maps and functions, by what they hold.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from goprobe.api.script.known import DEPTH, Known, equal_keys, kind_named, scalar_of, too_deep
from goprobe.api.script.typerules import INTERFACES
from goprobe.budget import Budget
from goprobe.model.address import Address

if TYPE_CHECKING:
    from goprobe.api.script.value import Value

_BY_ADDRESS = frozenset({"pointer", "chan", "func", "unsafe_pointer"})


def are_equal(a: Value, b: Value, left: Budget, depth: int = DEPTH) -> bool:
    """Pointers, channels and functions by their addresses, interfaces by the type and value of what
    they hold, structs and arrays, slices and maps by their parts, numbers by what they print as.
    Raises UsageError for what has more parts than `left`, or leads back to itself, and for what
    cannot be told."""
    if not depth:
        raise too_deep(a.name)
    if a.holds_nil or b.holds_nil:
        own = a._type_of_nil()
        return own is not None and own == b._type_of_nil()
    if a.is_nil or b.is_nil:  # a nil interface is no nil pointer
        return a.is_nil and b.is_nil and (_kind(a) in INTERFACES) is (_kind(b) in INTERFACES)
    left.spend(1 if a._is_string() else max(a._length() or 1, 1))
    boxed = a.dynamic_type is not None or b.dynamic_type is not None
    if boxed and a._own_type != b._own_type:
        return False
    if a._is_string() or b._is_string():
        return a._is_string() and b._is_string() and a._bytes() == b._bytes()
    at, where = leads_to(a), leads_to(b)
    if at is not None or where is not None:
        return at == where
    one, other = a._dynamic() or a, b._dynamic() or b
    if one._is_map() or other._is_map():
        return one._is_map() and other._is_map() and _have_equal_entries(one, other, left, depth)
    if one._length() is not None or other._length() is not None or one._fields():
        return _have_equal_parts(one, other, left, depth)
    return not other._fields() and _scalar(one) == _scalar(other)


def _kind(value: Known) -> str:
    return kind_named(value, value.type)


def leads_to(value: Value) -> Address | None:
    """The address that a pointer, a channel, a function is; None of all else."""
    data = None if value._quick else value.data
    if not data:
        return None
    of_address = kind_named(value, value._own_type) in _BY_ADDRESS
    pointer = value.text == f"{int(data.address):#x}"  # of a type that a recording does not know
    if of_address or (pointer and value._dynamic() is None):
        return Address(data.address)
    return None


def _have_equal_parts(a: Value, b: Value, left: Budget, depth: int) -> bool:
    if (a._length() is None) is not (b._length() is None) or len(a) != len(b):
        return False
    return all(
        one.name == other.name and (one.name == "_" or are_equal(one, other, left, depth - 1))
        for one, other in zip(a, b, strict=True)
    )


def _have_equal_entries(a: Value, b: Value, left: Budget, depth: int) -> bool:
    if len(a) != len(b):
        return False
    theirs = dict(b.items())
    if len(theirs) < len(b):
        raise equal_keys(b.name)
    return all(
        key in theirs and are_equal(value, theirs[key], left, depth - 1) for key, value in a.items()
    )


def _scalar(value: Known) -> tuple[bool, object]:
    """A number, or a truth value, which is none; of all else its text."""
    told = value._told()
    scalar = scalar_of(told)
    return isinstance(scalar, bool), told if scalar is None else scalar
