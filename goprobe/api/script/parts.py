"""Parts of what conditions compute with: fields, elements, what pointers lead to."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from goprobe.api.script.gonumbers import BITS, FLOATS, Number, is_operand, made, settled, typed
from goprobe.api.script.inplace import InPlace, Text, Typed
from goprobe.api.script.known import kind_named
from goprobe.api.script.operands import (
    declared,
    is_typed,
    kind_in,
    named,
    operand,
    plain,
    told,
)
from goprobe.api.script.typerules import (
    INTERFACES,
    NILABLE,
    count_of,
    element_type,
    implements,
    is_assignable,
    key_type,
)
from goprobe.api.script.value import Value
from goprobe.errors import NoSuchElementError, UsageError

_INT_BITS = BITS["int"]


def led_to(pointer: Any) -> Any:
    """*p"""
    if isinstance(pointer, InPlace):
        return pointer.led_to()
    kind = kind_in(pointer) if isinstance(pointer, Value) else "none"
    leads = kind in ("pointer", "interface", "") and not pointer.is_nil and pointer.data
    if not leads:
        raise UsageError(f"{named(operand(pointer))} in the condition leads nowhere")
    return pointer._again(pointer.data)


def field_of(whole: Any, name: str) -> Any:
    """x.name; raises UsageError where there is none, or the pointer to it is nil."""
    if isinstance(whole, InPlace):
        return whole[name]
    if not isinstance(whole, Value):
        nil = isinstance(whole, Typed) and whole.value is None
        why = f"is nil: it leads to no field {name}" if nil else "has no parts"
        raise UsageError(f"{told(whole)} in the condition {why}")
    if kind_in(whole) == "map" or name == "_":
        raise NoSuchElementError(f"a {whole.type} has no field {name}")
    return whole[name]


def part_of(whole: Any, index: Any) -> Any:
    """An element of a list, a string or a map; of a map without it the zero value. Raises
    UsageError where Go does not compile it, or panics."""
    held, key = operand(whole), operand(index)
    if isinstance(held, bytes):
        at = _index(key)
        if at >= len(held):
            raise UsageError(f"the condition's string has no byte {at}")
        return made(held[at], "uint8")
    if isinstance(held, InPlace):
        return held[_index(key)]
    if not isinstance(held, Value):
        raise UsageError(f"{named(held)} in the condition has no parts")
    if not held._is_map():
        return _element(held, _index(key))
    if held.type.startswith(("map[interface {", "map[any]")):
        raise UsageError(f"which key of a {held.type} the condition means is not looked for")
    try:
        return held[_key(held, key)]
    except NoSuchElementError:
        return _zero(held)


def _element(held: Value, at: int) -> Any:
    kind = kind_in(held)
    pointed = kind_named(held, held.type[1:]) if kind == "pointer" else "none"
    if kind not in ("slice", "array", *INTERFACES, "") and pointed not in ("array", ""):
        raise UsageError(f"the condition's {held.type} has no elements")
    if held.is_nil:
        raise UsageError(f"the condition's {held.type} is nil: it has no element [{at}]")
    return held[at]


def _index(key: Any) -> int:
    """Of what is no map: a whole number, none of a type of others."""
    number = settled(key) if is_operand(key) else key
    if isinstance(number, int | Fraction) and not isinstance(number, bool):
        number = typed(number, "int", "int")
    if not isinstance(number, Number) or number.kind not in BITS:
        raise UsageError(f"the condition has {named(key)} that is no whole number as an index")
    at = int(number.value)
    if at < 0 or at >> (_INT_BITS - 1):
        raise UsageError(f"the condition has the index {at}, which nothing has an element at")
    return at


def _key(held: Value, key: Any) -> Any:
    """A key as Python's Value takes it. Raises UsageError where it is none of the map's type."""
    name = key_type(held.type)
    if not name:
        key = settled(key) if is_operand(key) else key
    elif not isinstance(key, InPlace):
        key = _of_key_type(held, name, key)
    if isinstance(key, Number):
        return key.value
    if isinstance(key, Fraction):
        return typed(key, "float64", "float64").value
    return key._as_key() if isinstance(key, Value) else plain(key)


def _of_key_type(held: Value, name: str, key: Any) -> Any:
    kind = kind_named(held, name)
    such = f"of a {declared(key)}" if is_typed(key) else f"such as {told(key)}"
    refused = UsageError(f"a {held.type} has no keys {such}")
    if kind in INTERFACES:
        if key is not None and not implements(kind_in(key), declared(key), kind):
            raise refused
        return key
    if is_operand(key) and not isinstance(key, Number) and (kind in BITS or kind in FLOATS):
        key = settled(key) if not isinstance(key, int | Fraction) else typed(key, kind, name)
    fits = {bool: "bool", bytes: "string"}.get(type(key), "")
    if key is None:
        right = not kind or kind in NILABLE
    elif is_typed(key):
        right = is_assignable(declared(key), name, lambda each: kind_named(held, each))
    else:
        right = not kind or kind == fits
    if not right:
        raise refused
    return key


def size_of_array(value: Value) -> int | None:
    """How many elements an array has, or the one that a pointer leads to, which may be nil."""
    if count_of(value.type) is not None:
        return count_of(value.type)
    kind = kind_in(value)
    if kind == "array":
        return value._length()
    if kind == "pointer" and not value.is_nil and value.data:
        inner = value._again(value.data)
        return inner._length() if kind_in(inner) == "array" else None
    return None


def _zero(held: Value) -> Any:
    """What a map has for a key that is not in it."""
    name = element_type(held.type)
    kind = kind_named(held, name) if name else ""
    if kind == "string":
        return Text(b"", name)
    if kind in ("bool", "complex64", "complex128"):
        return Typed(False if kind == "bool" else 0j, kind, name)
    if kind in BITS or kind in FLOATS:
        return made(0, kind, name)
    if kind in NILABLE or kind in INTERFACES:
        return Typed(None, kind, name)
    raise UsageError(f"the condition's {held.type} has no such key, and what it has then has parts")
