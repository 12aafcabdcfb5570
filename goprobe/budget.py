"""What may be spent on reading what came from outside.

A file, or a process's memory, may hold anything: a list that leads in a circle, a table that has no
end, ten thousand names that are each as long as the file. Whoever reads such a thing
(binary/elf/elf.py a file, runtime/world.py the memory of a process) owns one budget, made after the
size of what is there, and spends it as it goes. So reading comes to an end, whatever asks for it
and however often.

One unit is about what looking at one byte costs; a step of Python is worth some dozens.
"""

from __future__ import annotations

from collections.abc import Callable

BASE = 24 << 20
"""What anything may cost, however small it is: a few seconds. (Of a hello world all commands
together spend a hundredth of it, of a program with 100,000 goroutines three times as much.)"""

STEP = 32
"""What one step costs that reads a word, or handles one entry of a table."""


class Budget:
    """`left` units may be spent, and once, when they are gone, what `more` says."""

    __slots__ = ("_asks", "_full", "_more", "_over", "left")

    def __init__(
        self, left: int, over: Callable[[], Exception], more: Callable[[], int] | None = None
    ) -> None:
        """`over` makes the error to raise when nothing is left."""
        self.left = self._full = left
        self._over = over
        self._asks = more
        self._more = more

    def renew(self) -> None:
        """Another question begins: all may be spent again."""
        self.left, self._more = self._full, self._asks

    def widen(self, more: int) -> None:
        """There is more to read than was known."""
        self.left += more
        self._full += more

    def spend(self, cost: int) -> None:
        """Raises what `over` makes where that is more than is left."""
        self.left -= cost
        if self.left < 0:
            self._ask_for_more()

    def _ask_for_more(self) -> None:
        if self._more is not None:
            more, self._more = self._more, None
            self.left += more()
        if self.left < 0:
            raise self._over()
