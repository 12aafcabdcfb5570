"""A value of the program as a number, a truth value or a string: converted, ordered, hashed."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, SupportsIndex

from msgspec import UNSET

from goprobe.api.script.known import Known, TypedNil, scalar_of
from goprobe.errors import UsageError


class Scalar(Known):
    """Of values of other kinds all of this raises UsageError or TypeError."""

    __slots__ = ()

    def _bytes(self) -> bytes:
        """A string's bytes, all of them."""
        part = self.part
        data = part.data if part.data is not UNSET else None
        if part.value is not UNSET and part.value.dynamic_type is not UNSET and data is not None:
            data = data.data if data.data is not UNSET else None
        if data is None or data.size is UNSET or not data.size:
            return b""
        self._alive()
        return self._driver.read(int(data.address), data.size)

    def __hash__(self) -> int:
        return hash(self._ordered())

    def _ordered(self) -> Any:
        if self._is_string():
            return self._bytes().decode("utf-8", "surrogateescape")
        scalar = scalar_of(self._told()) if self._length() is None else None
        if scalar is None:
            raise TypeError(f"a {self.type} has no order and no hash")
        return scalar

    def __lt__(self, other: Any) -> bool:
        return bool(self._ordered() < plain_of(other))

    def __le__(self, other: Any) -> bool:
        return bool(self._ordered() <= plain_of(other))

    def __gt__(self, other: Any) -> bool:
        return bool(self._ordered() > plain_of(other))

    def __ge__(self, other: Any) -> bool:
        return bool(self._ordered() >= plain_of(other))

    def _computed(self, do: Callable[[Any, Any], Any], other: object, *, swapped: bool) -> Any:
        """Python's own arithmetic, of numbers (and +, of strings)."""
        own, others = self._operand(), other._operand() if isinstance(other, Scalar) else other
        if own is None or isinstance(own, bool) or others is None:
            return NotImplemented
        return do(others, own) if swapped else do(own, others)

    def _operand(self) -> Any:
        told = self._told()
        if self._is_string():
            return self._ordered()
        return self._number(told) if self._length() is None and not self._known("data") else None

    def __add__(self, other: object) -> Any:
        return self._computed(operator.add, other, swapped=False)

    def __radd__(self, other: object) -> Any:
        return self._computed(operator.add, other, swapped=True)

    def __sub__(self, other: object) -> Any:
        return self._computed(operator.sub, other, swapped=False)

    def __rsub__(self, other: object) -> Any:
        return self._computed(operator.sub, other, swapped=True)

    def __mul__(self, other: object) -> Any:
        return self._computed(operator.mul, other, swapped=False)

    def __rmul__(self, other: object) -> Any:
        return self._computed(operator.mul, other, swapped=True)

    def __truediv__(self, other: object) -> Any:
        return self._computed(operator.truediv, other, swapped=False)

    def __rtruediv__(self, other: object) -> Any:
        return self._computed(operator.truediv, other, swapped=True)

    def __floordiv__(self, other: object) -> Any:
        return self._computed(operator.floordiv, other, swapped=False)

    def __mod__(self, other: object) -> Any:
        return self._computed(operator.mod, other, swapped=False)

    def __neg__(self) -> Any:
        return -self._operand()

    def __format__(self, spec: str) -> str:
        """A number as Python's own would be; others as their text."""
        told = None if self._is_string() else scalar_of(self.text)
        plain = told is None or self._length() is not None or not spec
        return format(str(self) if plain else self._operand(), spec)

    def __int__(self) -> int:
        scalar = scalar_of(self._told()) if not self._is_string() else None
        if scalar is None or isinstance(scalar, complex):
            raise UsageError(f"{self.name} is a {self.type} and no number: {self.text}")
        return int(scalar)

    def __index__(self) -> int:
        scalar = scalar_of(self._told()) if not self._is_string() else None
        if not isinstance(scalar, int):
            raise TypeError(f"{self.name} is a {self.type} and no integer")
        return int(scalar)

    def __float__(self) -> float:
        scalar = scalar_of(self._told()) if not self._is_string() else None
        if scalar is None or isinstance(scalar, complex):
            raise UsageError(f"{self.name} is a {self.type} and no number: {self.text}")
        return float(scalar)


def plain_of(other: object) -> Any:
    """What compares: a value of the program as Python's own."""
    return other._ordered() if isinstance(other, Scalar) else other


Key = (
    str
    | bytes
    | complex
    | SupportsIndex
    | Scalar
    | tuple[Any, ...]
    | list[Any]
    | dict[str, Any]
    | TypedNil
    | None
)
"""What a value is indexed by: a number, a field's name, a map's key."""
