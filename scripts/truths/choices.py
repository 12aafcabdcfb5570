"""What a program is made of: a list of whole numbers, each below a bound.

A generator asks `Choices` for each decision. The numbers drawn are kept, so that a program can be
written again from them, and a smaller list of smaller numbers writes a smaller program: that is how
`shrink` works, whatever the grammar (the idea is Hypothesis's). For it to work well 0 must be the
simplest alternative: the shortest list, the plainest type, no statement.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from random import Random
from typing import TypeVar

T = TypeVar("T")


class Choices:
    """Decisions from a seed, or from numbers drawn before; beyond their end all are 0."""

    def __init__(self, source: Random | Sequence[int]) -> None:
        self._random = source if isinstance(source, Random) else None
        self._given = () if isinstance(source, Random) else tuple(source)
        self.drawn: list[int] = []

    def below(self, bound: int) -> int:
        """A whole number, 0 <= n < bound."""
        if self._random is not None:
            number = self._random.randrange(bound)
        elif len(self.drawn) < len(self._given):
            number = min(self._given[len(self.drawn)], bound - 1)
        else:
            number = 0
        self.drawn.append(number)
        return number

    def between(self, low: int, high: int) -> int:
        """low <= n <= high; `low` is the simplest."""
        return low + self.below(high - low + 1)

    def one_of(self, alternatives: Sequence[T]) -> T:
        """The first is the simplest."""
        return alternatives[self.below(len(alternatives))]

    def weighted(self, *alternatives: tuple[int, T]) -> T:
        """Of (weight, alternative) pairs; the first is the simplest."""
        number = self.below(sum(weight for weight, _ in alternatives))
        for weight, alternative in alternatives:
            if number < weight:
                return alternative
            number -= weight
        raise AssertionError("weights are positive")

    def chance(self, percent: int) -> bool:
        """False is the simplest."""
        return self.below(100) >= 100 - percent

    def some(self, alternatives: Sequence[T]) -> list[T]:
        """A part of them, in their order; none is the simplest."""
        return [alternative for alternative in alternatives if self.below(2)]


def shrink(
    numbers: Sequence[int],
    still_wrong: Callable[[Sequence[int]], bool],
    *,
    seconds: float,
) -> list[int]:
    """A list of fewer and smaller numbers for which `still_wrong` holds, found within `seconds`.

    `still_wrong` may be slow (it builds and runs a program); `numbers` themselves are wrong.
    """
    deadline = time.monotonic() + seconds
    best = list(numbers)

    def take(candidate: list[int]) -> bool:
        nonlocal best
        if time.monotonic() > deadline or not _simpler(candidate, best):
            return False
        if not still_wrong(candidate):
            return False
        best = candidate
        return True

    improved = True
    while improved and time.monotonic() < deadline:
        before = list(best)
        size = max(len(best) // 2, 1)
        while size:  # whole pieces first: they are what makes a program long
            start = len(best) - size
            while start >= 0 and time.monotonic() < deadline:
                take(best[:start] + best[start + size :])
                if not take(best[:start] + [0] * size + best[start + size :]):
                    start -= size
                start = min(start, len(best) - size)
            size //= 2
        for index in range(len(best)):
            if index < len(best) and best[index]:
                low, high = 0, best[index]
                while low < high and time.monotonic() < deadline:
                    middle = (low + high) // 2
                    if index < len(best) and take([*best[:index], middle, *best[index + 1 :]]):
                        high = middle
                    else:
                        low = middle + 1
        improved = best != before
    return best


def _simpler(candidate: list[int], best: list[int]) -> bool:
    return (len(candidate), candidate) < (len(best), best)
