"""How much memory something that bounds a process has left, to be read again and again."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

UNBOUNDED = 1 << 62  # more than any machine has, and sums of two still fit 64 bits


class Headroom(msgspec.Struct, frozen=True):
    """`bytes` that are left, and of `what`."""

    bytes: int
    what: str


class Gauge:
    """What bounds a process. Below `floor` bytes it is in danger. Those of one `key` are the same
    thing, whoever is bounded by it and whatever they call it."""

    def __init__(
        self, what: str, floor: int, left: Callable[[int], int], key: tuple[str, int]
    ) -> None:
        self.what = what
        self.floor = floor
        self.key = key
        self._left = left

    def left(self, enough: int = UNBOUNDED) -> int:
        """Bytes. With less than `enough` what is only cached counts, too: it costs time."""
        return max(self._left(enough), 0)

    def read(self) -> Headroom:
        return Headroom(self.left(), self.what)
