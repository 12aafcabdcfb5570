"""What the operands of a condition are: numbers of a type and constants (`gonumbers.py`), strings
as their bytes, truth values, None for nil; and whatever has parts, as it is."""

from __future__ import annotations

import operator
from collections.abc import Callable
from fractions import Fraction
from typing import Any

from goprobe.api.script.gonumbers import (
    ALIASES,
    BITS,
    FLOATS,
    Number,
    compared,
    is_operand,
    made,
)
from goprobe.api.script.inplace import InPlace, Text
from goprobe.api.script.known import scalar_of
from goprobe.api.script.value import Value
from goprobe.errors import NoSuchElementError, UsageError

_WITH_PARTS = ("*", "[", "map[", "func(", "chan ", "<-chan ", "struct {", "interface {", "unsafe.")
_NIL = frozenset({"pointer", "slice", "map", "func", "chan", "interface", "unsafe_pointer"})


class Rune(int):
    """A constant of a rune: in an interface it is an int32."""

    __slots__ = ()


def operand(value: Any) -> Any:
    """A value of the program by its kind."""
    if not isinstance(value, Value) or value.dynamic_type is not None:
        return value
    if value._is_string():
        return Text(_text(value), value.type)
    if value._length() is not None:
        return value
    return _scalar(value, value.type)


def _text(string: Value) -> bytes:
    """A string's bytes: they are read where the text that was told is escaped or cut."""
    told = string.text.encode()
    return told if len(told) == string._length() and "…" not in string.text else string._bytes()


def _scalar(value: Value, type_name: str) -> Any:
    told = scalar_of(value._told())
    if told is None or isinstance(told, bool | complex):
        return value if told is None else told
    kind = kind_of(value, type_name) or _kind_told(told, value, type_name)
    if kind in ("complex64", "complex128"):
        return complex(told)
    return made(told, kind, type_name) if kind in BITS or kind in FLOATS else value


def _kind_told(told: float, value: Value, type_name: str) -> str:
    """The widest kind of a number whose type is not known: an early recording does not say it."""
    if type_name.startswith(_WITH_PARTS) or value.data:
        return ""
    if isinstance(told, int):
        return "uint64" if told >> 63 > 0 else "int64"
    return "float64"


def kind_of(value: Value, type_name: str) -> str:
    """The kind that a type is of, "" for one with parts."""
    name = ALIASES.get(type_name, type_name)
    if name in BITS or name in FLOATS or name in ("string", "bool", "complex64", "complex128"):
        return name
    return "" if name.startswith(_WITH_PARTS) else value._driver.kind(name)


def _boxed(value: Value) -> Any:
    """What an interface holds."""
    if value._is_string():
        return Text(value._bytes(), value._held_type or "")
    dynamic = value._dynamic()
    return operand(dynamic) if dynamic else _scalar(value, value._held_type or "")


def _type_of(value: Any) -> str:
    """Of what an interface is compared with; of a constant the type that it takes by itself."""
    if isinstance(value, Number | Text):
        return value.type
    if isinstance(value, Value):
        return str(value._held_type or value.type)
    names = {bool: "bool", Rune: "int32", int: "int", Fraction: "float64", bytes: "string"}
    return names.get(type(value), "complex128")


_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt,
    ">=": operator.ge,
}  # fmt: skip


def compare(op: str, left: Any, right: Any) -> bool:
    """By one of Go's operators. Raises UsageError for what Go does not compare."""
    a, b = operand(left), operand(right)
    if is_operand(a) and is_operand(b):
        return bool(_COMPARE[op](*compared(a, b)))
    if isinstance(a, bytes) and isinstance(b, bytes):
        return bool(_COMPARE[op](bytes(a), bytes(b)))
    if op not in ("==", "!="):
        raise UsageError(f"the condition compares {_named(a)} {op} {_named(b)}")
    return _is_equal(a, b) is (op == "==")


def _is_equal(a: Any, b: Any) -> bool:
    if a is None or b is None:
        return _is_nil(b if a is None else a)
    for one, other in ((a, b), (b, a)):
        if isinstance(one, InPlace):
            return bool(one == other)
        if isinstance(one, Value) and one.dynamic_type is not None:
            return _type_of(other) == _type_of(one) and _holds(one, other)
        if isinstance(one, complex) and (is_operand(other) or isinstance(other, complex)):
            return one == complex(other.value if isinstance(other, Number) else other)
        if isinstance(one, Value) and one.is_nil and not isinstance(other, Value):
            return False  # an interface that holds nothing
    if isinstance(a, Value) and isinstance(b, Value):
        return _same(a, b)
    if isinstance(a, bool) and isinstance(b, bool):
        return a is b
    raise UsageError(f"the condition compares {_named(a)} with {_named(b)}")


def _holds(interface: Value, other: Any) -> bool:
    held = _boxed(interface)
    own = _boxed(other) if isinstance(other, Value) and other.dynamic_type is not None else other
    if isinstance(held, Value) and held.dynamic_type is not None:
        return isinstance(own, Value) and _same(held, own)  # a pointer, which is not boxed
    return compare("==", held, own)


def _same(a: Value, b: Value) -> bool:
    if a.is_nil and b.is_nil:  # a nil interface is no nil pointer
        return a.type == b.type or _is_interface(a) is _is_interface(b)
    if a.is_nil or b.is_nil or a.holds_nil or b.holds_nil:
        return a == b
    if _type_of(a).startswith(("*", "chan ", "<-chan ")):
        return a.text == b.text
    return a == b


def _is_interface(value: Value) -> bool:
    name = value.type
    return name == "any" or name.startswith("interface {") or kind_of(value, name) == "interface"


def _is_nil(value: Any) -> bool:
    if value is None:
        return True
    if isinstance(value, Value):
        return value.is_nil
    if isinstance(value, InPlace):
        return bool(value == None)  # noqa: E711
    raise UsageError(f"the condition compares {_named(value)} with nil")


def _named(value: Any) -> str:
    if isinstance(value, bool):
        return "a truth value"
    if is_operand(value) or isinstance(value, complex):
        return "a number"
    if isinstance(value, bytes):
        return "a string"
    return "nil" if value is None else f"a {_type_of(value)}"


def led_to(pointer: Any) -> Any:
    """*p"""
    if isinstance(pointer, InPlace):
        return pointer.led_to()
    if not isinstance(pointer, Value) or pointer.is_nil or not pointer.data:
        raise UsageError(f"{_named(pointer)} in the condition leads nowhere")
    return pointer._again(pointer.data)


def part_of(whole: Any, index: Any) -> Any:
    """An element of a list, a string or a map; of a map without it the zero value."""
    held, key = operand(whole), _key(index)
    if isinstance(held, bytes):
        if not isinstance(key, int) or not 0 <= key < len(held):
            raise UsageError(f"the condition's string has no byte {key!r}")
        return made(held[key], "uint8")
    if not isinstance(held, Value | InPlace):
        raise UsageError(f"{_named(held)} in the condition has no parts")
    if isinstance(held, Value) and held.type.startswith(("map[interface {", "map[any]")):
        raise UsageError(f"which key of a {held.type} the condition means is not looked for")
    try:
        return held[key]
    except NoSuchElementError:
        if isinstance(held, Value) and held._is_map():
            return _zero(held)
        raise


def _key(index: Any) -> Any:
    key = operand(index)
    if isinstance(key, Number):
        return key.value
    if isinstance(key, Fraction):
        return int(key) if key.denominator == 1 else float(key)
    return key._as_key() if isinstance(key, Value) else key


def _zero(held: Value) -> Any:
    """What a map has for a key that is not in it."""
    name = _element_type(held.type)
    kind = kind_of(held, name) if name else ""
    if kind == "string":
        return Text(b"", name)
    if kind == "bool":
        return False
    if kind in BITS or kind in FLOATS:
        return made(0, kind, name)
    if kind in _NIL or (name.startswith(_WITH_PARTS) and not name.startswith("struct")):
        array = name.startswith("[") and not name.startswith("[]")
        if not array:
            return None
    raise UsageError(f"the condition's {held.type} has no such key, and what it has then has parts")


def _element_type(name: str) -> str:
    """V of map[K]V, "" where the name does not say it."""
    if not name.startswith("map["):
        return ""
    depth = 0
    for at, letter in enumerate(name):
        depth += (letter == "[") - (letter == "]")
        if letter == "]" and not depth:
            return name[at + 1 :]
    return ""
