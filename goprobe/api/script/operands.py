"""What the operands of a condition are: numbers of a type and constants (`gonumbers.py`), strings
as their bytes, truth values, None for nil; and whatever has parts, as it is."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from goprobe.api.script.gonumbers import (
    ALIASES,
    BITS,
    FLOATS,
    Number,
    Rune,
    is_operand,
    made,
    settled,
    shown,
)
from goprobe.api.script.inplace import Text, Typed
from goprobe.api.script.known import kind_named, scalar_of
from goprobe.api.script.value import Value

_WITH_PARTS = ("*", "[", "map[", "func(", "chan ", "<-chan ", "struct {", "interface {", "unsafe.")
_INT_BITS = BITS["int"]


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
    if told is None:
        return value
    if isinstance(told, bool):
        return Typed(told, "bool", type_name)
    kind = kind_of(value, type_name)
    if isinstance(told, complex) or kind in ("complex64", "complex128"):
        return _complex(complex(told), kind or "complex128", type_name)
    kind = kind or _kind_told(told, value, type_name)
    return made(told, kind, type_name) if kind in BITS or kind in FLOATS else value


def _complex(told: complex, kind: str, type_name: str) -> Typed:
    half = "float32" if kind == "complex64" else "float64"
    exact = complex(made(told.real, half).value, made(told.imag, half).value)
    return Typed(exact, kind, type_name)


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


def boxed(value: Value) -> Any:
    """What an interface holds."""
    if value._is_string():
        return Text(value._bytes(), value._held_type or "")
    dynamic = value._dynamic()
    return operand(dynamic) if dynamic else _scalar(value, value._held_type or "")


def type_of(value: Any) -> str:
    """Of what an interface is compared with; of a constant the type that it takes by itself."""
    if isinstance(value, Number | Text | Typed):
        return value.type
    if isinstance(value, Value):
        return value._own_type
    names = {bool: "bool", Rune: "int32", int: "int", Fraction: "float64", bytes: "string"}
    return names[type(value)]


def is_typed(value: Any) -> bool:
    return isinstance(value, Number | Text | Typed | Value)


def declared(value: Any) -> str:
    """The type that the source says: an interface's own."""
    return value.type if isinstance(value, Value) else type_of(settled(value))


def kind_in(value: Any) -> str:
    if isinstance(value, Value):
        return kind_named(value, value.type)
    if isinstance(value, Number | Typed):
        return value.kind
    if value is None:
        return ""
    return "string" if isinstance(value, bytes) else type_of(settled(value))


def plain(value: Any) -> Any:
    return value.value if isinstance(value, Typed) else value


def named(value: Any) -> str:
    if isinstance(value, bool) or (isinstance(value, Typed) and value.kind == "bool"):
        return "a truth value"
    if isinstance(value, Typed) and value.value is None:
        return f"a {value.type}"
    if is_operand(value) or isinstance(value, Typed):
        return "a number"
    if isinstance(value, bytes):
        return "a string"
    return "nil" if value is None else f"a {type_of(value)}"


def told(value: Any) -> str:
    """For a message."""
    if isinstance(value, bytes):
        return repr(value.decode("utf-8", "backslashreplace"))
    if isinstance(value, Value) or (isinstance(value, Typed) and value.value is None):
        return f"a {value.type}"
    value = settled(value) if is_operand(value) else value
    if value is None:
        return "nil"
    bare = value.value if isinstance(value, Number | Typed) else value
    if isinstance(bare, bool):
        return str(bare).lower()
    return shown(bare) if isinstance(bare, int | float | Fraction) else str(bare)
