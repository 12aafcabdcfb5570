"""Timing alternatives fairly, and figures with their budgets."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True, slots=True)
class Figure:
    """One thing measured. `limit` is the most (or with `at_least` the least) that is allowed."""

    name: str
    value: float
    unit: str
    limit: float | None = None
    at_least: bool = False

    @property
    def met(self) -> bool:
        if self.limit is None:
            return True
        return self.value >= self.limit if self.at_least else self.value <= self.limit

    def __str__(self) -> str:
        text = f"{self.name:<66} {_number(self.value):>12} {self.unit}"
        if self.limit is None:
            return text
        bound = "at least" if self.at_least else "at most"
        verdict = "" if self.met else "  NOT MET"
        return f"{text}  ({bound} {_number(self.limit)} {self.unit}){verdict}"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3f}"


def side_by_side(runs: int, choices: Mapping[str, Callable[[], object]]) -> dict[str, float]:
    """The median seconds of each choice; they take turns, so that all meet the same weather."""
    seconds: dict[str, list[float]] = {name: [] for name in choices}
    for _ in range(runs):
        for name, run in choices.items():
            start = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - start)
    return {name: median(taken) for name, taken in seconds.items()}
