"""An address in the target's address space."""

from __future__ import annotations


class Address(int):
    """A virtual address of the target; an int that prints and encodes as lower-case hex."""

    __slots__ = ()

    def __str__(self) -> str:
        return f"{int(self):#x}"

    __repr__ = __str__

    def __format__(self, spec: str) -> str:
        return format(str(self), spec)
