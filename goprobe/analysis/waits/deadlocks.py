"""Goroutines that wait for each other in a circle.

A goroutine waits for whoever has what it waits on, but not for those who wait on the same: they
cannot end that wait before their own; unless it is known that one of them has locked it. Circles
are looked for in one graph of goroutines and things, so that a crowd on one channel is no square
of its number.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping, Set as AbstractSet
from types import MappingProxyType
from typing import TypeVar

K = TypeVar("K", bound=Hashable)


def circles(
    waiting: Mapping[int, AbstractSet[K]],
    having: Mapping[K, AbstractSet[int]],
    blockers: Mapping[K, AbstractSet[int]] = MappingProxyType({}),
) -> list[list[int]]:
    """The goroutines of each circle, ascending. `waiting` are the things that each one waits on,
    `having` the goroutines that may end the wait for each, and `blockers` those that have to, even
    where they wait on the same themselves."""
    closed = []
    for part in _components(_Graph(waiting, having, blockers)):
        goroutines = sorted(node for node in part if isinstance(node, int))
        if goroutines and len(part) > 1:
            closed.append(goroutines)
    return closed


class _Thing:
    """A thing as a node of the graph, so that none is taken for a goroutine's number."""

    __slots__ = ("following",)

    def __init__(self) -> None:
        self.following: list[int] = []


_Node = int | _Thing


class _Graph:
    """Who waits leads to what it waits on, and that to who has it and does not wait on it."""

    def __init__(
        self,
        waiting: Mapping[int, AbstractSet[K]],
        having: Mapping[K, AbstractSet[int]],
        blockers: Mapping[K, AbstractSet[int]],
    ) -> None:
        things = {key: _Thing() for keys in waiting.values() for key in keys}
        self.following: dict[int, list[_Thing]] = {
            g: [things[key] for key in keys] for g, keys in waiting.items()
        }
        for key, thing in things.items():
            having_it = [g for g in having.get(key, ()) if g in waiting and key not in waiting[g]]
            thing.following = having_it + [g for g in blockers.get(key, ()) if g in waiting]

    def after(self, node: _Node) -> Iterable[_Node]:
        return node.following if isinstance(node, _Thing) else self.following[node]


def _components(graph: _Graph) -> Iterable[list[_Node]]:
    """Strongly connected parts (Tarjan's), without recursion."""
    index: dict[_Node, int] = {}
    low: dict[_Node, int] = {}
    on_stack: set[_Node] = set()
    stack: list[_Node] = []
    for root in graph.following:
        if root in index:
            continue
        work: list[tuple[_Node, Iterator[_Node]]] = [(root, iter(graph.after(root)))]
        index[root] = low[root] = len(index)
        stack.append(root)
        on_stack.add(root)
        while work:
            node, following = work[-1]
            for to in following:
                if to not in index:
                    index[to] = low[to] = len(index)
                    stack.append(to)
                    on_stack.add(to)
                    work.append((to, iter(graph.after(to))))
                    break
                if to in on_stack:
                    low[node] = min(low[node], index[to])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
                if low[node] == index[node]:
                    at = _position(stack, node)
                    yield stack[at:]
                    on_stack.difference_update(stack[at:])
                    del stack[at:]


def _position(stack: list[_Node], node: _Node) -> int:
    at = len(stack) - 1
    while stack[at] is not node and stack[at] != node:
        at -= 1
    return at
