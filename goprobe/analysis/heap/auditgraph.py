"""What holds of a heap's graph: ways and referrers against memory, the tree against the heap; types
against slots, and against pointers.

Types are looked at as soon as they are known: where pointers stand may be given back afterwards.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice, pairwise

import msgspec
import numpy as np
from msgspec import UNSET

from goprobe.analysis.audit import audited, check
from goprobe.analysis.heap.graph import HeapGraph
from goprobe.analysis.heap.nodes import NO_OFFSET
from goprobe.counts import counted
from goprobe.errors import UnreadableError
from goprobe.model.heap import REST, HeapReport, TreeNode, steps_left_out
from goprobe.model.location import Location
from goprobe.model.report import Audited
from goprobe.process.memory.memory import u64

_WORD = 8
_SHAPES_LOOKED_AT = 512
_EDGES_LOOKED_AT = 64
_ROOTS_LOOKED_AT = 1000


class GraphFacts:
    """A report and the graph that it was made from. `referred` is the address whose referrers were
    asked for."""

    def __init__(self, report: HeapReport, graph: HeapGraph, *, referred: int = 0) -> None:
        self.report = report
        self.graph = graph
        self.referred = referred

    def points_into(self, place: int, low: int, size: int) -> bool:
        """Whether the word at `place` is a pointer into [low, low + size)."""
        try:
            return low <= u64(self.graph.world.memory, place) < low + max(size, 1)
        except UnreadableError:
            return False


@check("each step of a path points at the next one")
def paths_point(facts: GraphFacts) -> Iterator[str]:
    for path in facts.report.paths:
        yield from _broken(facts, path)


def _broken(facts: GraphFacts, path: Sequence[Location]) -> Iterator[str]:
    for step, following in pairwise(path):
        place, base = step.detail.get("pointer_at"), following.detail.get("object")
        size = following.detail.get("object_size")
        if steps_left_out(following):
            continue
        if not (isinstance(place, int) and isinstance(base, int) and isinstance(size, int)):
            continue  # a root without a place
        if not facts.points_into(place, base, size):
            yield f"{step.name} does not point at {following.name} from {place:#x}"


@check("who is said to refer to an object does")
def referrers_point(facts: GraphFacts) -> Iterator[str]:
    report, graph = facts.report, facts.graph
    if report.referrers is UNSET:
        return
    value = graph.address(graph.node_at(facts.referred))
    for referrer in report.referrers:
        place = referrer.source.detail.get("pointer_at")
        if isinstance(place, int) and not facts.points_into(place, value + referrer.into, 1):
            yield f"{referrer.source.name} does not point there from {place:#x}"


@check("the rows of the tree of who keeps what sum to what can be reached")
def tree_sums(facts: GraphFacts) -> Iterator[str]:
    report = facts.report
    if report.tree is UNSET or report.graph is UNSET:
        return
    kept = sum(row.retained_bytes for row in report.tree)
    if kept != report.graph.reachable_bytes:
        yield f"its rows keep {kept} bytes, and {report.graph.reachable_bytes} can be reached"
    yield from _uneven(report.tree)


def _uneven(rows: Sequence[TreeNode]) -> Iterator[str]:
    """Rows that are not what they and the rows below them keep."""
    for row in rows:
        below = sum(child.retained_bytes for child in row.children)
        if row.kind != REST and row.bytes + below != row.retained_bytes:
            told = f"{row.what} keeps {counted(row.retained_bytes, 'byte')}"
            yield f"{told}, itself and the rows below {row.bytes + below}"
        yield from _uneven(row.children)


def audit_graph(facts: GraphFacts) -> tuple[Audited, ...]:
    return audited((paths_point, referrers_point, tree_sums), facts)


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
    small = [
        np.flatnonzero(size[typing.shape[part]] > room[objects.span[part]]) + part.start
        for part in objects.parts()
    ]
    for node in np.concatenate([np.zeros(0, np.int64), *small])[:1000].tolist():
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
