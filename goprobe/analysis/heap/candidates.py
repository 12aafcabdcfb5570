"""Goroutines that may be lost, as columns: of a hundred thousand of them few are told of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from goprobe.analysis.heap.blocked import Candidate, reason_of
from goprobe.analysis.heap.graph import HeapGraph
from goprobe.analysis.heap.waits import Waits
from goprobe.process.memory.copies import Words
from goprobe.runtime.goroutines.goroutines import Goroutine
from goprobe.runtime.heap.spantable import Ints

_AWAKE = "the runtime may wake it"


class Candidates(Mapping[int, Candidate]):
    """Each of some goroutines by its id, made when it is asked for. `by_others` says of which only
    others can wake them."""

    def __init__(
        self,
        graph: HeapGraph,
        goroutines: Sequence[Goroutine],
        waits: Waits,
        by_others: NDArray[np.bool_],
    ) -> None:
        self._graph, self._goroutines = graph, goroutines
        self._waits, self._by_others = waits, by_others
        self.rows: Mapping[int, int] = {g.id: row for row, g in enumerate(goroutines)}
        self.awake: NDArray[np.bool_] = waits.awake() | ~by_others
        """Of each whether it can run whatever leads to what it waits on."""

    def __getitem__(self, number: int) -> Candidate:
        return self.at(self.rows[number])

    def __iter__(self) -> Iterator[int]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self._goroutines)

    def at(self, row: int) -> Candidate:
        """The one in a row."""
        candidate, g = self._waits.candidate(row), self._goroutines[row]
        if self._by_others[row]:
            return candidate
        reason, awake = reason_of(self._graph, g), candidate.awake or _AWAKE
        return replace(candidate, reason=reason, awake=awake)

    def because(self, reason: str) -> Iterator[Candidate]:
        """Those that wait for this reason, in a synctest bubble, too."""
        return map(self.at, self._waits.rows(reason))

    def unsure(self) -> dict[int, str]:
        """Of which it cannot be told what they wait on, with the reason."""
        told = self._waits.unsure().items()
        return {self._goroutines[row].id: why for row, why in told if self._by_others[row]}

    def numbered(self, numbers: Iterable[int]) -> Ints:
        """The rows of those with such ids. (A damaged process may have several of one.)"""
        wanted = np.fromiter(numbers, np.uint64)
        return np.flatnonzero(np.isin(self._ids, wanted)) if len(wanted) else np.zeros(0, np.int64)

    @cached_property
    def _ids(self) -> Words:
        return np.fromiter((g.id for g in self._goroutines), np.uint64, len(self._goroutines))
