"""An address in the target's address space."""

from __future__ import annotations

_OF_NUMBERS = ("b", "d", "o", "x", "X")


class Address(int):
    """A virtual address of the target; an int that prints and encodes as lower-case hex."""

    __slots__ = ()

    def __str__(self) -> str:
        return f"{int(self):#x}"

    __repr__ = __str__

    def __format__(self, spec: str) -> str:
        return format(int(self) if spec[-1:] in _OF_NUMBERS else str(self), spec)
