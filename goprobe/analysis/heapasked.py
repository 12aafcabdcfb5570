"""All that is asked of a heap: what the rooms above the graph's own answer is added to its report.

Who leaked goroutines are, and what they keep, is told with --retained, too: it is what that asks,
and of a million objects it takes a twentieth of its time (m, one goroutine that is lost); who asks
for types alone pays nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from goprobe.analysis.heap.graph import HeapGraph
from goprobe.analysis.heap.heap import heap
from goprobe.analysis.heap.questions import HeapQuestions
from goprobe.errors import UsageError
from goprobe.model.heap import HeapReport
from goprobe.runtime.profiles.memoryprofile import MemoryProfile
from goprobe.target.live import AnyTarget

Progress = Callable[[str], None]


def why_no_waste(target: AnyTarget) -> str:
    """Why it cannot be told what a heap wastes, "" where it can."""
    if not target.program.info.redzones:
        return ""
    return (
        "the program was built with -asan, which puts unused bytes behind each object: what else "
        "it wastes is not told"
    )


def heap_asked(
    target: AnyTarget,
    questions: HeapQuestions,
    *,
    progress: Progress = lambda message: None,
    profile: bool = False,
    earlier: MemoryProfile | None = None,
) -> HeapReport:
    """The whole answer, of one moment. Raises what `heap` raises, and UsageError where waste is
    asked for and cannot be told."""
    if questions.waste and (why := why_no_waste(target)):
        raise UsageError(why, hint="ask the same program built without -asan")
    parts: list[Callable[[HeapGraph, HeapReport], HeapReport]] = []
    if questions.waste:
        from goprobe.analysis.waste.waste import with_waste

        parts.append(partial(with_waste, progress))
    if questions.of_leaks:
        from goprobe.analysis.waits.lost import with_leaks

        parts.append(partial(with_leaks, target, progress))
    if questions.examples:  # last: they are those that the rest names
        from goprobe.analysis.heap.examples import with_examples

        parts.append(with_examples)

    def more(graph: HeapGraph, report: HeapReport) -> HeapReport:
        for part in parts:
            report = part(graph, report)
        return report

    return heap(target, questions, progress=progress, profile=profile, earlier=earlier, more=more)
