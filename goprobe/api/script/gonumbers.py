"""Numbers as Go computes with them: those of a type wrap round, or are rounded to it; constants are
exact until they meet one. Source: the Go Programming Language Specification, Arithmetic operators,
Constant expressions, Conversions.
"""

from __future__ import annotations

import math
import operator
import struct
from collections.abc import Callable
from contextlib import suppress
from decimal import Context, Decimal
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
_WHOLE_BITS = 512  # of a whole one (src/cmd/compile/internal/types2/const.go: overflow)
_SHIFTS = 1023 - 1 + 52  # of a constant (src/cmd/compile/internal/types2/expr.go: shift)

Constant = int | Fraction
"""Without a type: of an integer or a rune, or of a floating-point number."""


class Rune(int):
    """A constant of a rune: by itself it is an int32."""

    __slots__ = ()


class Number(msgspec.Struct, frozen=True):
    """Of a type, which is one of a kind ("int8"); by `type` it is told from others of the kind. A
    constant is one that the compiler knows: int8(5)."""

    value: int | float
    kind: str
    type: str
    constant: bool = False


class Shift(msgspec.Struct, frozen=True):
    """A constant without a type, shifted by what is none: it is of the type that it meets."""

    value: Constant
    op: str
    count: int


Operand = Number | Constant | Shift


def is_operand(value: object) -> bool:
    return isinstance(value, Number | int | Fraction | Shift) and not isinstance(value, bool)


def made(value: float, kind: str, type_name: str = "", *, constant: bool = False) -> Number:
    """A value brought into its kind's range."""
    if kind not in BITS:
        return Number(_rounded(float(value), kind), kind, type_name or kind, constant)
    bits, whole = BITS[kind], int(value) & ((1 << BITS[kind]) - 1)
    if kind.startswith("i") and whole >> (bits - 1):
        whole -= 1 << bits
    return Number(whole, kind, type_name or kind, constant)


def _rounded(value: float, kind: str) -> float:
    if kind != "float32" or not math.isfinite(value):
        return value
    try:
        return float(struct.unpack("f", struct.pack("f", value))[0])
    except OverflowError:
        return math.copysign(math.inf, value)


def typed(constant: Constant, kind: str, type_name: str) -> Number:
    """A constant as a number of a type. Raises UsageError where it is none of that."""
    with suppress(OverflowError):
        exact = int(constant) if kind in BITS else float(constant)
        number = made(exact, kind, type_name, constant=True)
        if number.value == constant if kind in BITS else math.isfinite(number.value):
            return number
    raise UsageError(f"{shown(constant)} in the condition is no {type_name}")


def converted(operand: Operand, kind: str) -> Number:
    """A conversion: int8(x)."""
    if isinstance(operand, Shift):
        return _of_type(operand, kind, kind)
    if not isinstance(operand, Number):
        return typed(operand, kind, kind)
    value = operand.value
    if operand.constant:
        return typed(Fraction(value) if isinstance(value, float) else value, kind, kind)
    whole = kind not in BITS or not isinstance(value, float)
    if not whole and (not math.isfinite(value) or made(value, kind).value != int(value)):
        raise UsageError(f"what {kind}({value}) is depends on the machine")
    return made(value, kind)


def negated(operand: Operand) -> Operand:
    return _in_kind(operator.neg, operand)


def complemented(operand: Operand) -> Operand:
    """^x"""
    return _in_kind(operator.invert, _whole(_of_integers(operand, "^")))


def _in_kind(do: Callable[[Any], Any], operand: Operand) -> Operand:
    operand = settled(operand)
    if not isinstance(operand, Number):
        return _like(do(operand), operand)
    if operand.constant and do is operator.neg:
        return _exactly(do(operand.value), operand)
    return made(do(operand.value), operand.kind, operand.type, constant=operand.constant)


def _exactly(value: Any, like: Number) -> Number:
    """What comes of constants of a type, which has to be one of it."""
    if like.kind in FLOATS:
        if not math.isfinite(value):
            raise UsageError(f"a constant in the condition is no {like.type}")
        value = Fraction(value)
    return typed(value, like.kind, like.type)


def computed(op: str, left: Operand, right: Operand) -> Operand:
    """Arithmetic, bits and shifts. Raises UsageError where Go refuses it, or panics."""
    if op in ("<<", ">>"):
        return _shifted(op, left, right)
    if not isinstance(left, Number) and not isinstance(right, Number):
        left, right = settled(left), settled(right)
    if not isinstance(left, Number | Shift) and not isinstance(right, Number | Shift):
        if op in _OF_BITS or op == "%":
            left, right = _of_integers(left, op), _of_integers(right, op)
        return _bounded(_like(_do(op, left, right), left, right))
    if op in _OF_BITS or op == "%":
        left, right = _whole(left), _whole(right)
    a, b = _alike(left, right)
    if a.type != b.type:
        raise UsageError(f"the condition computes {a.type} {op} {b.type}: Go has them of one type")
    if b.constant and op == "/" and not b.value and a.kind in FLOATS and a.constant:
        raise UsageError("the condition divides by zero")
    result = _do(op, a.value, b.value)
    return _exactly(result, a) if a.constant and b.constant else made(result, a.kind, a.type)


def _like(constant: Constant, *those: Operand) -> Constant:
    """Of runes comes a rune."""
    rune = isinstance(constant, int) and any(isinstance(each, Rune) for each in those)
    return Rune(constant) if rune else constant


def _of_integers(constant: Any, op: str) -> Any:
    if isinstance(constant, Fraction):
        raise UsageError(f"the condition computes {op} with {shown(constant)}, which has a point")
    return constant


def compared(left: Operand, right: Operand) -> tuple[Any, Any]:
    """Both as Python compares them."""
    if not isinstance(left, Number) and not isinstance(right, Number):
        left, right = settled(left), settled(right)
    if isinstance(left, Number) or isinstance(right, Number):
        a, b = _alike(left, right)
        return a.value, b.value
    return left, right


def settled(operand: Operand) -> Number | Constant:
    """A shift that meets no type is of the one that its constant has by itself."""
    if not isinstance(operand, Shift):
        return operand
    kind = {Rune: "int32", Fraction: "float64"}.get(type(operand.value), "int")
    return _of_type(operand, kind, kind)


def _alike(left: Operand, right: Operand) -> tuple[Number, Number]:
    """A constant becomes of the other's type."""
    if not isinstance(left, Number):
        assert isinstance(right, Number)
        return _of_type(left, right.kind, right.type), right
    if not isinstance(right, Number):
        return left, _of_type(right, left.kind, left.type)
    return left, right


def _of_type(operand: Constant | Shift, kind: str, type_name: str) -> Number:
    if not isinstance(operand, Shift):
        return typed(operand, kind, type_name)
    if kind not in BITS:
        raise UsageError(f"the condition shifts a {type_name}")
    return _moved(operand.op, typed(operand.value, kind, type_name), operand.count)


def _whole(operand: Operand) -> Operand:
    value = operand.value if isinstance(operand, Number) else operand
    if isinstance(value, Fraction) and value.denominator == 1:
        return int(value)
    if not isinstance(value, int | Shift):
        raise UsageError(f"{shown(value)} in the condition is no whole number")
    return operand


def _shifted(op: str, left: Operand, right: Operand) -> Operand:
    whole, right = settled(_whole(settled(left))), settled(_whole(right))
    count = int(right.value if isinstance(right, Number) else right)
    if count < 0:
        raise UsageError("the condition shifts by a negative number")
    constant = not isinstance(right, Number) or right.constant
    if constant and count >> 64:  # no uint
        raise UsageError(f"the condition shifts by {count}")
    if isinstance(whole, Number):
        if whole.constant and constant:
            return typed(_constant_moved(op, int(whole.value), count), whole.kind, whole.type)
        return _moved(op, whole, count)
    if not constant and not isinstance(left, Number):
        return Shift(whole if isinstance(left, Shift) else left, op, count)
    return _bounded(_like(_constant_moved(op, int(whole), count), whole))


def _constant_moved(op: str, value: int, count: int) -> int:
    if op == ">>":
        return value >> min(count, _MOST_BITS)  # beyond, nothing is left of a constant
    if count > _SHIFTS:
        raise UsageError(f"the condition shifts a constant by {count}")
    return value << count


def _moved(op: str, left: Number, count: int) -> Number:
    value, count = int(left.value), min(count, 128)  # beyond, nothing is left of 64 bits
    return made(value << count if op == "<<" else value >> count, left.kind, left.type)


def _bounded(constant: Constant) -> Constant:
    most = _WHOLE_BITS if isinstance(constant, int) else _MOST_BITS
    if max(abs(constant.numerator), constant.denominator).bit_length() > most:
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


def shown(value: float | Fraction) -> str:
    """A number for a message: of one that no float64 is its first digits."""
    if not isinstance(value, Fraction):
        return str(value)
    with suppress(OverflowError):
        return str(float(value))
    short = Context(prec=6)
    made = short.divide(Decimal(value.numerator), Decimal(value.denominator))
    return str(made.normalize()).lower()
