"""A heap's dominator tree as stacks of a profile: each object under what alone keeps it.

The cumulative value of a stack is then what its outermost frame retains.
"""

from __future__ import annotations

from goprobe.analysis.heap.globalnames import root_name
from goprobe.analysis.heap.graph import HeapGraph
from goprobe.model.heap import HeapSample

_DEEPEST = 64
_LIMIT = 200_000


def samples(graph: HeapGraph) -> tuple[HeapSample, ...]:
    """Objects and bytes by the types on the way from their root; recursion is one frame."""
    nodes, dominators = graph.nodes, graph.dominators
    n = len(graph.objects)
    shapes, sizes = graph.shown(slice(None)).tolist(), graph.objects.size.tolist()
    order, parents = dominators.order.tolist(), dominators.parent.tolist()
    # A stack is (its caller's number, its own frame); stack 0 is the root of all.
    numbers: dict[tuple[int, int], int] = {}
    frames: list[tuple[int, int, int]] = [(0, -1, 0)]
    counts: list[list[int]] = [[0, 0]]
    stack_of = [0] * (len(nodes) + 1)
    for node in order[1:]:
        above = stack_of[parents[node]]
        frame = shapes[node] if node < n else -2 - node
        _, own, depth = frames[above]
        if frame != own and depth < _DEEPEST:
            key = (above, frame)
            known = numbers.get(key)
            if known is None:
                if len(frames) >= _LIMIT:
                    known = above
                else:
                    known = numbers[key] = len(frames)
                    frames.append((above, frame, depth + 1))
                    counts.append([0, 0])
            above = known
        stack_of[node] = above
        if node < n:
            counts[above][0] += 1
            counts[above][1] += sizes[node]
    return tuple(
        HeapSample(_stack(graph, frames, number), count, size)
        for number, (count, size) in enumerate(counts)
        if count
    )


def _stack(graph: HeapGraph, frames: list[tuple[int, int, int]], number: int) -> tuple[str, ...]:
    """The names of a stack's frames, innermost first."""
    names = []
    while number:
        number, frame, _ = frames[number]
        if frame <= -2:
            names.append(root_name(graph.nodes.group(-2 - frame)))
        else:
            names.append(graph.shown_name(frame) if frame else "objects of unknown type")
    return tuple(names)
