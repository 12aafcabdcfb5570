"""What can be reached in a graph, and by which shortest way.

Wide frontiers are taken a level at a time with numpy; narrow ones (a linked list of a million
elements is a million levels) node by node.
"""

from __future__ import annotations

import msgspec
import numpy as np
from numpy.typing import NDArray

from goprobe.runtime.heap.edges import numbers_in
from goprobe.runtime.heap.objects import Ids
from goprobe.runtime.heap.spantable import Ints

_NARROW = 48
_STEPS = 2048
UNREACHED = -1
START = -2


class Reach(msgspec.Struct, frozen=True):
    """`via[i]` is the edge by which node i was reached first, on a shortest way; START for where
    the search began, UNREACHED for what it did not get to."""

    via: Ints

    @property
    def mask(self) -> NDArray[np.bool_]:
        return np.asarray(self.via != UNREACHED, bool)


def reach(first: Ints, target: Ids, start: Ids) -> Reach:
    """Breadth first from the nodes of `start`."""
    via = np.full(len(first) - 1, UNREACHED, np.int64)
    onward(first, target, via, start)
    return Reach(via)


def onward(first: Ints, target: Ids, via: Ints, start: Ids) -> None:
    """The same, but for what `via` says was reached before: it is not gone through again."""
    fresh = np.zeros(len(via), bool)
    fresh[start] = True
    frontier: Ints = np.flatnonzero(fresh & (via == UNREACHED))
    via[frontier] = START
    while len(frontier):
        if len(frontier) <= _NARROW:
            frontier = _narrow(first, target, via, frontier)
        else:
            frontier = _level(first, target, via, frontier)


def _level(first: Ints, target: Ids, via: Ints, frontier: Ints) -> Ints:
    edges = numbers_in(first[frontier], first[frontier + 1])
    targets = target[edges]
    fresh = via[targets] == UNREACHED
    edges, targets = edges[fresh], targets[fresh]
    # Where several edges lead to one node, the last one written stays: keep just that one.
    via[targets] = edges
    following: Ints = targets[via[targets] == edges].astype(np.int64)
    return following


def _narrow(first: Ints, target: Ids, via: Ints, frontier: Ints) -> Ints:
    """Some levels with few nodes each; returns the frontier when it has grown, or after a while."""
    starts, targets, ways = first.data, target.data, via.data
    level = frontier.tolist()
    for _ in range(_STEPS):
        following: list[int] = []
        for node in level:
            for edge in range(starts[node], starts[node + 1]):
                to = targets[edge]
                if ways[to] == UNREACHED:
                    ways[to] = edge
                    following.append(to)
        level = following
        if not level or len(level) > _NARROW:
            break
    return np.array(level, np.int64)
