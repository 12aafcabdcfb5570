"""Numbers as Go computes with them: those of a type wrap round, or are rounded to it; constants are
exact until they meet one. Source: the Go Programming Language Specification, Arithmetic operators,
Constant expressions, Conversions.
"""

from __future__ import annotations

import math
import operator
import struct
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import msgspec

from goprobe.errors import UsageError

BITS = {
    "int8": 8, "int16": 16, "int32": 32, "int64": 64, "int": 64, "uint8": 8, "uint16": 16,
    "uint32": 32, "uint64": 64, "uint": 64, "uintptr": 64,
}  # fmt: skip
FLOATS = frozenset({"float32", "float64"})
ALIASES = {"byte": "uint8", "rune": "int32"}
_MOST_BITS = 1 << 12  # of a constant

Constant = int | Fraction
"""Without a type: of an integer or a rune, or of a floating-point number."""


class Number(msgspec.Struct, frozen=True):
    """Of a type, which is one of a kind ("int8"); by `type` it is told from others of the kind."""

    value: int | float
    kind: str
    type: str


Operand = Number | Constant


def is_operand(value: object) -> bool:
    return isinstance(value, Number | int | Fraction) and not isinstance(value, bool)


def made(value: float, kind: str, type_name: str = "") -> Number:
    """A value brought into its kind's range."""
    if kind not in BITS:
        return Number(_rounded(float(value), kind), kind, type_name or kind)
    bits, whole = BITS[kind], int(value) & ((1 << BITS[kind]) - 1)
    if kind.startswith("i") and whole >> (bits - 1):
        whole -= 1 << bits
    return Number(whole, kind, type_name or kind)


def _rounded(value: float, kind: str) -> float:
    if kind != "float32" or not math.isfinite(value):
        return value
    try:
        return float(struct.unpack("f", struct.pack("f", value))[0])
    except OverflowError:
        return math.copysign(math.inf, value)


def typed(constant: Constant, kind: str, type_name: str) -> Number:
    """A constant as a number of a type. Raises UsageError where it is none of that."""
    if kind in BITS:
        number = made(int(constant), kind, type_name)
        if number.value != constant:
            raise UsageError(f"{_shown(constant)} in the condition is no {type_name}")
        return number
    try:
        return made(float(constant), kind, type_name)
    except OverflowError:
        raise UsageError(f"{_shown(constant)} in the condition is no {type_name}") from None


def converted(operand: Operand, kind: str) -> Number:
    """A conversion: int8(x)."""
    if not isinstance(operand, Number):
        return typed(operand, kind, kind)
    value = operand.value
    whole = kind not in BITS or not isinstance(value, float)
    if not whole and (not math.isfinite(value) or made(value, kind).value != int(value)):
        raise UsageError(f"what {kind}({value}) is depends on the machine")
    return made(value, kind)


def negated(operand: Operand) -> Operand:
    return _in_kind(operator.neg, operand)


def complemented(operand: Operand) -> Operand:
    """^x"""
    return _in_kind(operator.invert, _whole(operand))


def _in_kind(do: Callable[[Any], Any], operand: Operand) -> Operand:
    if isinstance(operand, Number):
        return made(do(operand.value), operand.kind, operand.type)
    result: Constant = do(operand)
    return result


def computed(op: str, left: Operand, right: Operand) -> Operand:
    """Arithmetic, bits and shifts. Raises UsageError where Go refuses it, or panics."""
    if op in ("<<", ">>"):
        return _shifted(op, left, right)
    if op in _OF_BITS or op == "%":
        left, right = _whole(left), _whole(right)
    if not isinstance(left, Number) and not isinstance(right, Number):
        return _bounded(_do(op, left, right))
    a, b = _alike(left, right)
    if a.type != b.type:
        raise UsageError(f"the condition computes {a.type} {op} {b.type}: Go has them of one type")
    return made(_do(op, a.value, b.value), a.kind, a.type)


def compared(left: Operand, right: Operand) -> tuple[Any, Any]:
    """Both as Python compares them."""
    if isinstance(left, Number) or isinstance(right, Number):
        a, b = _alike(left, right)
        return a.value, b.value
    return left, right


def _alike(left: Operand, right: Operand) -> tuple[Number, Number]:
    """A constant becomes of the other's type."""
    if not isinstance(left, Number):
        assert isinstance(right, Number)
        return typed(left, right.kind, right.type), right
    if not isinstance(right, Number):
        return left, typed(right, left.kind, left.type)
    return left, right


def _whole(operand: Operand) -> Operand:
    value = operand.value if isinstance(operand, Number) else operand
    if isinstance(value, Fraction) and value.denominator == 1:
        return int(value)
    if not isinstance(value, int):
        raise UsageError(f"{_shown(value)} in the condition is no whole number")
    return operand


def _shifted(op: str, left: Operand, right: Operand) -> Operand:
    left, right = _whole(left), _whole(right)
    count = int(right.value if isinstance(right, Number) else right)
    if count < 0:
        raise UsageError("the condition shifts by a negative number")
    if not isinstance(left, Number):
        if op == "<<" and count > _MOST_BITS:
            raise UsageError(f"the condition shifts a constant by {count}")
        return _bounded(int(left) << count if op == "<<" else int(left) >> count)
    value, count = int(left.value), min(count, 128)  # beyond, nothing is left of 64 bits
    return made(value << count if op == "<<" else value >> count, left.kind, left.type)


def _bounded(constant: Constant) -> Constant:
    if max(abs(constant.numerator), constant.denominator).bit_length() > _MOST_BITS:
        raise UsageError("a constant in the condition is too large")
    return constant


def _divided(a: Any, b: Any) -> Any:
    if isinstance(a, float):
        if b:
            return a / b
        both = math.copysign(1, a) * math.copysign(1, b)
        return math.copysign(math.inf, both) if a and a == a else math.nan
    if not b:
        raise UsageError("the condition divides by zero")
    if isinstance(a, Fraction) or isinstance(b, Fraction):
        return Fraction(a) / b
    whole = abs(a) // abs(b)
    return whole if (a < 0) == (b < 0) else -whole


_OF_BITS: dict[str, Callable[[Any, Any], Any]] = {
    "&": operator.and_, "|": operator.or_, "^": operator.xor, "&^": lambda a, b: a & ~b,
}  # fmt: skip
_ARITHMETIC: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add, "-": operator.sub, "*": operator.mul, "/": _divided,
    "%": lambda a, b: a - b * _divided(a, b), **_OF_BITS,
}  # fmt: skip


def _do(op: str, a: Any, b: Any) -> Any:
    return _ARITHMETIC[op](a, b)


def _shown(value: float | Fraction) -> str:
    return str(float(value)) if isinstance(value, Fraction) else str(value)
