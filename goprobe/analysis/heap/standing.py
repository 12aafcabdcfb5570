"""The heap of a process that somebody else holds still: any number of questions of one moment."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import TypeVar

import numpy as np
from msgspec.structs import replace

from goprobe.analysis.audit import finished
from goprobe.analysis.heap.audit import HeapFacts, audit_heap
from goprobe.analysis.heap.census import census_report
from goprobe.analysis.heap.graph import HeapGraph
from goprobe.analysis.heap.heap import report_on
from goprobe.analysis.heap.questions import HeapQuestions
from goprobe.analysis.heap.snapshot import of_standing
from goprobe.errors import UsageError, telling
from goprobe.model.heap import HeapReport
from goprobe.process.memory.memory import Memory
from goprobe.runtime.heap.bookkeeping import Bookkeeping
from goprobe.runtime.heap.sizeclasses import TINY_BYTES
from goprobe.runtime.roots.heldwords import Held
from goprobe.runtime.world import World
from goprobe.target.goprocess import GoProcess

T = TypeVar("T")


class StandingHeap:
    """Of a process that stands for as long as this is asked: `memory` is its memory, uncached. The
    pointers are followed once, when a question first needs them. `held` says what is known of
    variables of frames that stand anywhere."""

    def __init__(self, process: GoProcess, world: World, memory: Memory, held: Held) -> None:
        self._process, self._world, self._memory, self._held = process, world, memory, held

    def report(self, questions: HeapQuestions) -> HeapReport:
        """Raises CannotWorkError where the heap cannot be read, or is too large for the memory
        here, and UsageError where there is no object at an address that was asked for."""
        if questions.of_pointers:
            return self._told(lambda: report_on(self._graph, questions))
        return self._told(self._census)

    def objects(self, type_name: str) -> tuple[int, ...]:
        """Where the values of the objects of a type begin, of those that something leads to."""
        return self._told(lambda: self._objects(type_name))

    def _told(self, answer: Callable[[], T]) -> T:
        with telling(f"the heap of process {self._process.pid}"):
            return answer()

    def _census(self) -> HeapReport:
        books = Bookkeeping.of(self._world.layout, self._world.roots)
        census = books.count(books.copy(self._memory))
        report = census_report(self._process, census, 0, "stop")
        return finished(report, audit_heap(HeapFacts(report, census)))

    @cached_property
    def _graph(self) -> HeapGraph:
        snapshot = of_standing(self._world, self._memory, refuse=True)
        snapshot = replace(snapshot, held=self._held)
        return HeapGraph(snapshot, lambda message: None)

    def _objects(self, type_name: str) -> tuple[int, ...]:
        graph = self._graph
        typing = graph.typing
        of_type = [n for n in range(len(graph.shapes)) if n and graph.shapes[n].name == type_name]
        chosen = np.isin(typing.shape, of_type) & ~typing.inner & graph.reachable
        numbers = np.flatnonzero(chosen)
        shared = numbers[graph.share_slots(numbers)]
        # A value of 16 bytes shares its slot with none (mallocgc, malloc.go, Go 1.21 to 1.27).
        if any(graph.shapes[n].size < TINY_BYTES for n in set(typing.shape[shared].tolist())):
            raise UsageError(
                f"objects as small as a {type_name} share slots of 16 bytes: which of them are "
                "there is not known"
            )
        return tuple(graph.addresses(numbers).tolist())
