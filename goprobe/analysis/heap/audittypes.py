"""What holds of the types of a heap's objects and roots: against slots, and against pointers.

Looked at as soon as the types are known: where pointers stand may be given back afterwards.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import msgspec
import numpy as np

from goprobe.analysis.audit import audited, check
from goprobe.analysis.heap.graph import HeapGraph
from goprobe.analysis.heap.nodes import NO_OFFSET
from goprobe.model.report import Audited

_WORD = 8
_SHAPES_LOOKED_AT = 512
_EDGES_LOOKED_AT = 64
_ROOTS_LOOKED_AT = 1000


class TypeFacts(msgspec.Struct, frozen=True):
    """A graph. `typed` says whether the objects' types were asked for: no check works them out for
    itself."""

    graph: HeapGraph
    typed: bool = True


@check("an object is no smaller than a value of its type")
def types_fit(facts: TypeFacts) -> Iterator[str]:
    if not facts.typed:
        return
    graph, objects = facts.graph, facts.graph.objects
    typing = graph.typing
    used = np.flatnonzero(np.bincount(typing.shape))
    size = np.zeros(len(graph.shapes), np.int64)
    size[used] = [graph.shapes[n].size if n else 0 for n in used.tolist()]
    room = objects.spans.elemsize - graph.lead
    small = np.flatnonzero(size[typing.shape] > room[objects.span])
    for node in small[:1000].tolist():
        if not typing.inner[node]:
            yield (
                f"the object at {graph.address(node):#x} has {room[objects.span[node]]} bytes and "
                f"is said to be a {graph.type_name(node)} of {size[typing.shape[node]]}"
            )


@check("where an object has a pointer its type has one too")
def pointers_fit(facts: TypeFacts) -> Iterator[str]:
    """Looked at in two objects of each type: where one is wrong, all of its objects are."""
    if not facts.typed or facts.graph.world.program.stripped:
        return
    for node in _some_of_each(facts.graph):
        if not facts.graph.typing.inner[node]:
            yield from _misplaced(facts.graph, node)


def _some_of_each(graph: HeapGraph) -> Iterator[int]:
    """The first and the last object of each shape whose type is described in full."""
    shape = graph.typing.shape
    nodes = np.arange(len(shape))
    first, last = (np.full(len(graph.shapes), -1, np.int64) for _ in range(2))
    last[shape] = nodes
    first[shape[::-1]] = nodes[::-1]
    for number in np.flatnonzero(first >= 0)[:_SHAPES_LOOKED_AT].tolist():
        go_type = graph.shapes[number].go_type if number else None
        if go_type is not None and go_type.size == graph.shapes[number].size:
            yield from {int(first[number]), int(last[number])}


def _misplaced(graph: HeapGraph, node: int) -> Iterator[str]:
    about = graph.shapes[int(graph.typing.shape[node])]
    assert about.go_type is not None
    nodes = graph.nodes
    lead = int(graph.lead[graph.objects.span[node]])
    edges = range(int(nodes.first[node]), int(nodes.first[node + 1]))
    for edge in edges[:_EDGES_LOOKED_AT]:
        at = int(nodes.offset[edge]) * _WORD - lead
        part = graph.part_at(about.go_type, at % max(about.go_type.size, 1))
        if not part.has_pointer:
            yield (
                f"{graph.address(node):#x} is said to be a {about.name}, and has a pointer at "
                f"{at:#x}, where that has {part}"
            )


@check("where a root has a pointer its type has one too")
def root_pointers_fit(facts: TypeFacts) -> Iterator[str]:
    graph, nodes = facts.graph, facts.graph.nodes
    if graph.world.program.stripped:
        return
    typed = (n for n, group in enumerate(nodes.groups, len(nodes.objects)) if group.type)
    for node in islice(typed, _ROOTS_LOOKED_AT):
        yield from _misplaced_roots(graph, node)


def _misplaced_roots(graph: HeapGraph, node: int) -> Iterator[str]:
    nodes = graph.nodes
    group = nodes.group(node)
    assert group.type is not None
    edges = range(int(nodes.first[node]), int(nodes.first[node + 1]))
    for edge in edges[:_EDGES_LOOKED_AT]:
        if not nodes.is_object(int(nodes.target[edge])) or int(nodes.offset[edge]) == NO_OFFSET:
            continue
        at = int(nodes.offset[edge]) * _WORD
        part = graph.part_at(group.type, at)
        if not part.has_pointer:
            yield (
                f"{group.name} of {group.function or 'the program'} is said to be a "
                f"{group.type.name}, and has a pointer at {at:#x}, where that has {part}"
            )


def audit_types(facts: TypeFacts) -> tuple[Audited, ...]:
    return audited((types_fit, pointers_fit, root_pointers_fit), facts)
