"""What goprobe says of objects against what typed pointers of the library's values say of them.

A pointer tells what lies where it leads to, not what all of the object is: what is told of the
object must have such a value there. None: nothing is known of the type that is told.
"""

from __future__ import annotations

import re

from scripts.truths.heaps.said import Parts, Said, same_type

_PART = re.compile(r"object (?:beginning with|holding) (.*?)(?: at \+0x([0-9a-f]+))?")
_BACKING = " backing"


class Pointed:
    def __init__(self, said: Said) -> None:
        self._said = said
        self._parts = Parts(said)

    def agrees(self, told: str, at: int, kind: int, count: int) -> bool | None:
        """Whether an object called so may have `count` values of a type `at` bytes in it."""
        if part := _PART.fullmatch(told):
            return self._part(part[1], int(part[2] or "0", 16), at, kind)
        truth, size = self._said.types[kind].name, self._said.types[kind].size
        if truth.startswith(("map[", "chan ")) or kind in self._said.also:
            return at == 0 and any(
                same_type(told, name) for name in (truth, self._said.also.get(kind, truth))
            )
        if told == "string data":
            return truth == "uint8"
        if told.endswith(_BACKING):
            element = told.removesuffix(_BACKING)[2:]
            return self._array(element, at, kind)
        found = self._said.types_named(told)
        if not found:
            return None
        return any(
            (self._parts.holds(number, truth, at) and at + size * count <= self._size(number))
            or (not at and self._size(number) == size and self._parts.holds(kind, told, 0))
            or self._is_array(number, at, kind)
            for number in found
        )

    def _size(self, number: int) -> int:
        return self._said.types[number].size

    def _is_array(self, number: int, at: int, kind: int) -> bool:
        """Whether a slice leads to the elements of an array in the type."""
        return self._parts.holds(number, self._said.types[kind].name, at)

    def _array(self, element: str, at: int, kind: int) -> bool | None:
        found = self._said.types_named(element)
        if not found:
            return None
        truth = self._said.types[kind].name
        return any(
            self._parts.holds(number, truth, at % max(self._size(number), 1))
            or (at % max(self._size(number), 1) == 0 and self._parts.holds(kind, element, 0))
            for number in found
        )

    def _part(self, name: str, offset: int, at: int, kind: int) -> bool | None:
        """Of an object of which a part is told: both parts must fit each other."""
        name = name.removeprefix("[]").removesuffix(_BACKING) if name.endswith(_BACKING) else name
        found = self._said.types_named(name)
        truth, size = self._said.types[kind].name, self._size(kind)
        if not found:
            return None
        for number in found:
            apart = at >= offset + self._size(number) or offset >= at + size
            inside = at >= offset and self._parts.holds(number, truth, at - offset)
            if apart or inside or (offset >= at and self._parts.holds(kind, name, offset - at)):
                return True
        return False
