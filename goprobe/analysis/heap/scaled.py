"""What a sample of a heap says of all of it, and how sure that is.

Spans were chosen by chance, so objects that lie in one are in or out together: how much the counts
of a type differ from span to span tells how far the whole may be from what the sample has times the
rest (the ratio estimator of cluster sampling: W. G. Cochran, Sampling Techniques, chapters 6, 9A).
"""

from __future__ import annotations

import numpy as np

from goprobe.analysis.heap.graph import HeapGraph
from goprobe.model.heap import TypeCount
from goprobe.runtime.heap.grouping import distinct
from goprobe.runtime.heap.spantable import Ints

_TOLD_MOST = 8
_SIGMAS = 1.96  # of a normal distribution, 95 of 100 lie within


def scaled(graph: HeapGraph, types: tuple[TypeCount, ...]) -> str:
    """Of the largest types how many objects there are in the whole heap: between which bounds."""
    sample = graph.snapshot.sample
    if sample is None or not 0 < sample.share < 1:
        return ""
    told = [_told(graph, t, sample.share) for t in types[:_TOLD_MOST]]
    return f"in the whole heap there are, 95 of 100 such samples say: {', '.join(told)}"


def _told(graph: HeapGraph, counted: TypeCount, share: float) -> str:
    """At least as many as have the type; at most also what has none where such objects lie: what
    leads to an object may be in the rest."""
    typed, untyped = _by_span(graph, counted.type)
    low, error = _estimate(graph, typed, share)
    spans = graph.snapshot.spans
    alike = np.isin(spans.spanclass, distinct(spans.spanclass[typed > 0]))
    high, more = _estimate(graph, typed + np.where(alike, untyped, 0), share)
    return f"{max(low - error, counted.objects):,.0f} to {high + more:,.0f} {counted.type}"


def _by_span(graph: HeapGraph, name: str) -> tuple[Ints, Ints]:
    """How many objects in each span are of a type, and of none."""
    shape, span = graph.shown(slice(None)), graph.objects.span
    count, every = len(graph.snapshot.spans), range(graph.shown_count)
    named = np.array([bool(n) and graph.shown_name(n) == name for n in every])
    return (
        np.bincount(span[named[shape]], minlength=count),
        np.bincount(span[shape == 0], minlength=count),
    )


def _estimate(graph: HeapGraph, count: Ints, share: float) -> tuple[float, float]:
    """How many there are in all, give or take so many."""
    size = graph.snapshot.spans.npages
    rest = count - size * (count.sum() / max(int(size.sum()), 1))
    error = _SIGMAS * float(np.sqrt((1 - share) * np.sum(rest * rest))) / share
    return float(count.sum()) / share, error
