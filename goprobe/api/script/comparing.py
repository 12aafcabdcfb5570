"""Go's comparisons of what conditions compute with."""

from __future__ import annotations

import operator
from collections.abc import Callable
from functools import partial
from itertools import islice
from typing import Any

from goprobe.api.script.gonumbers import Number, compared, is_operand, settled, typed
from goprobe.api.script.inplace import InPlace, Typed
from goprobe.api.script.known import kind_named
from goprobe.api.script.operands import (
    boxed,
    declared,
    is_typed,
    kind_in,
    named,
    operand,
    plain,
    type_of,
)
from goprobe.api.script.typerules import (
    INTERFACES,
    NILABLE,
    implements,
    is_assignable,
    is_equal_to_nil_alone,
)
from goprobe.api.script.value import Value
from goprobe.errors import UsageError

_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt,
    ">=": operator.ge,
}  # fmt: skip


def compare(op: str, left: Any, right: Any) -> bool:
    """By one of Go's operators. Raises UsageError for what Go does not compare."""
    a, b = operand(left), operand(right)
    numbers, texts = is_operand(a) and is_operand(b), isinstance(a, bytes) and isinstance(b, bytes)
    if op not in ("==", "!=") and not numbers and not texts:
        raise UsageError(f"the condition compares {named(a)} {op} {named(b)}")
    if not isinstance(a, InPlace) and not isinstance(b, InPlace):
        _check_types(a, b)
    if numbers:
        return bool(_COMPARE[op](*compared(a, b)))
    if texts:
        return bool(_COMPARE[op](bytes(a), bytes(b)))
    for one, other in ((a, b), (b, a)):
        if isinstance(one, Typed) and one.value is None and isinstance(other, Value):
            return _is_nil_of(other, one) is (op == "==")
    return _is_equal(_without_type(a), _without_type(b)) is (op == "==")


def _is_nil_of(value: Value, nil: Typed) -> bool:
    """Whether it equals a nil of a type: of a pointer in an interface that is another one."""
    if value.dynamic_type is None or nil.kind in INTERFACES:
        return value.is_nil and (nil.kind in INTERFACES or kind_in(value) not in INTERFACES)
    return value.holds_nil and type_of(value) == nil.type


def _without_type(value: Any) -> Any:
    return None if isinstance(value, Typed) and value.value is None else value


def _check_types(a: Any, b: Any) -> None:
    """Raises UsageError where Go does not compile a comparison."""
    if a is None and b is None:
        raise UsageError("the condition compares nil with nil")
    _check_nil(a, b)
    _check_nil(b, a)
    if a is None or b is None or not (is_typed(a) or is_typed(b)):
        return
    if kind_in(a) in INTERFACES or kind_in(b) in INTERFACES:
        _check_interface(*((a, b) if kind_in(a) in INTERFACES else (b, a)))
    elif is_typed(a) and is_typed(b):
        asks = next((each for each in (a, b) if isinstance(each, Value)), None)
        kinds = partial(kind_named, asks) if asks is not None else _unknown
        if not is_assignable(declared(a), declared(b), kinds):
            raise UsageError(
                f"the condition compares a {declared(a)} with a {declared(b)}: Go compares what"
                " is of one type"
            )


def _check_nil(one: Any, other: Any) -> None:
    kind = kind_in(one)
    if other is None and kind and kind not in NILABLE and kind not in INTERFACES:
        raise UsageError(f"the condition compares {named(one)} with nil")
    if other is not None and isinstance(one, Value) and not _is_comparable(one, one.type):
        raise UsageError(f"the condition compares a {one.type}, for which Go has no ==")


def _check_interface(interface: Any, other: Any) -> None:
    kind, others = kind_in(interface), kind_in(other)
    if others not in INTERFACES and not implements(others, declared(other), kind):
        raise UsageError(f"the condition compares a {interface.type} with {named(other)}")


def _unknown(name: str) -> str:
    del name
    return ""


def _is_comparable(value: Value, type_name: str) -> bool:
    """Whether Go has == for the type; of one that is not known it is taken to have."""
    kind = kind_named(value, type_name)
    if kind == "array":
        parts = list(islice(iter(value), 1)) if value._length() else []
        element = type_name.partition("]")[2] if type_name.startswith("[") else ""
        return all(_is_comparable(each, each.type) for each in parts) and not (
            element and not parts and is_equal_to_nil_alone(kind_named(value, element))
        )
    if kind == "struct" and value.dynamic_type is None:
        return all(_is_comparable(each, each.type) for each in map(value._of, value._fields()))
    return not is_equal_to_nil_alone(kind)


def _is_equal(a: Any, b: Any) -> bool:
    if a is None or b is None:
        return _is_nil(b if a is None else a)
    for one, other in ((a, b), (b, a)):
        if isinstance(one, InPlace):
            return bool(one == other)
        if isinstance(one, Value) and one.dynamic_type is not None:
            return type_of(settled(other)) == type_of(one) and _holds(one, other)
        if isinstance(one, Typed) and isinstance(one.value, complex) and is_operand(other):
            return bool(one.value == _as_complex(other, one.kind))
        holds_nothing = isinstance(one, Value) and one.is_nil and kind_in(one) in ("", *INTERFACES)
        if holds_nothing and not isinstance(other, Value):
            return False
    if isinstance(a, Value) and isinstance(b, Value):
        return _same(a, b)
    if isinstance(a, Typed | bool) and isinstance(b, Typed | bool):
        return bool(plain(a) == plain(b))
    raise UsageError(f"the condition compares {named(a)} with {named(b)}")


def _as_complex(number: Any, kind: str) -> complex:
    """A constant as a complex number; Go has no other number to compare one with."""
    number = settled(number)
    if isinstance(number, Number):
        raise UsageError(f"the condition compares a {kind} with a {number.type}")
    half = "float32" if kind == "complex64" else "float64"
    return complex(typed(number, half, kind).value)


def _holds(interface: Value, other: Any) -> bool:
    held = boxed(interface)
    own = boxed(other) if isinstance(other, Value) and other.dynamic_type is not None else other
    if isinstance(held, Value) and held.dynamic_type is not None:
        return isinstance(own, Value) and _same(held, own)  # a pointer, which is not boxed
    return compare("==", held, own)


def _same(a: Value, b: Value) -> bool:
    if a.is_nil or b.is_nil or a.dynamic_type is not None:
        return a == b
    if kind_named(a, type_of(a)) not in ("struct", "array"):
        return a == b
    return len(a) == len(b) and all(
        compare("==", one, other) for one, other in zip(a, b, strict=True) if one.name != "_"
    )


def _is_nil(value: Any) -> bool:
    if value is None:
        return True
    if isinstance(value, Value):
        return value.is_nil
    if isinstance(value, InPlace):
        return bool(value == None)  # noqa: E711
    raise UsageError(f"the condition compares {named(value)} with nil")
