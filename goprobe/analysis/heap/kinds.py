"""What nodes of a heap's graph are alike: objects of one type, roots with one meaning.

What a map is made of is of the map's type here. Goroutines that began with the same function mean
the same, and so do a variable of such in one function, and finalizers of one type; each global
variable is by itself.
"""

from __future__ import annotations

import msgspec
import numpy as np
from msgspec.structs import replace

from goprobe.analysis.heap.globalnames import root_name, shown_root
from goprobe.analysis.heap.graph import HeapGraph
from goprobe.counts import counted
from goprobe.runtime.heap.objects import Ids
from goprobe.runtime.roots.groups import RootGroup, RootKind
from goprobe.runtime.types.shape import MAP_ENTRIES, MAP_INSIDE

OF_TYPE = "type"
_MOST_USED = 200  # roots of which it is looked up who uses them
_MAP, _INSIDE = "map[", MAP_INSIDE + MAP_ENTRIES
_UNTYPED = "objects of unknown type"


class Kind(msgspec.Struct, frozen=True):
    """`what` is "type", or the kind of roots."""

    what: str
    name: str


class Kinds(msgspec.Struct, frozen=True):
    """`of[i]` is the kind of node i: its number in `every`, where roots come before types, and what
    keeps (or is) most before others."""

    of: Ids
    every: tuple[Kind, ...]


def kinds_of(graph: HeapGraph) -> Kinds:
    """The kinds of all nodes."""
    n, nodes = len(graph.objects), graph.nodes
    of = np.full(len(nodes), -1, np.int32)
    members: dict[tuple[str, ...], list[int]] = {}
    for node in range(n, nodes.root):
        members.setdefault(_meaning(graph, node), []).append(node)
    roots = list(members.values())
    kept = [int(graph.retained[alike].sum()) for alike in roots]
    every: list[Kind] = []
    for place in sorted(range(len(roots)), key=lambda i: -kept[i]):
        of[roots[place]] = len(every)
        every.append(_of_roots(graph, roots[place], used=len(every) < _MOST_USED))
    number, names = _types(graph)
    for part in graph.objects.parts():
        of[part] = number[graph.shown(part)] + np.int32(len(every))
    return Kinds(of, (*every, *(Kind(OF_TYPE, name) for name in names)))


def alike_roots(graph: HeapGraph) -> Ids:
    """Of each root (from the first node behind the objects on) the first that means the same."""
    n, nodes = len(graph.objects), graph.nodes
    alike = np.arange(n, len(nodes), dtype=np.int32)
    first: dict[tuple[str, ...], int] = {}
    for node in range(n, nodes.root):
        alike[node - n] = first.setdefault(_meaning(graph, node), node)
    return alike


def shown_alike(graph: HeapGraph, roots: list[int]) -> str:
    """The name of some roots that mean the same: of one its own."""
    if len(roots) == 1:
        return shown_root(graph, roots[0])
    first = graph.nodes.group(roots[0])
    if first.kind is RootKind.VARIABLE:
        return root_name(replace(first, several=len(roots)))
    return _of_roots(graph, roots, used=True).name


def _types(graph: HeapGraph) -> tuple[Ids, list[str]]:
    """Of each shape in use the number of its kind, those with the most bytes first; their names."""
    size = np.zeros(graph.shown_count)
    for part in graph.objects.parts():
        size += np.bincount(graph.shown(part), graph.objects.size_of(part), len(size))
    number, numbers = np.zeros(len(size), np.int32), dict[str, int]()
    used = np.flatnonzero(size)
    for at in used[np.argsort(-size[used], kind="stable")].tolist():
        name = graph.shown_name(at) if at else _UNTYPED
        if name.startswith(_MAP) and name.endswith(_INSIDE):
            name = name[: name.rindex(" ")]
        number[at] = numbers.setdefault(name, len(numbers))
    return number, list(numbers)


def _meaning(graph: HeapGraph, node: int) -> tuple[str, ...]:
    group = graph.nodes.group(node)
    match group.kind:
        case RootKind.GOROUTINE:
            return group.kind, group.function or group.name
        case RootKind.VARIABLE:
            return group.kind, group.function, group.name
        case RootKind.GLOBAL:
            return group.kind, group.name
    queue = "" if " of " in group.name else group.name
    return group.kind, queue, str(group.through_rtype)


def _of_roots(graph: HeapGraph, nodes: list[int], *, used: bool) -> Kind:
    """The kind of roots that are alike."""
    groups = [graph.nodes.group(node) for node in nodes]
    first = groups[0]
    match first.kind:
        case RootKind.GOROUTINE:
            return Kind(first.kind, _goroutines(groups))
        case RootKind.VARIABLE:
            function = f"{first.function}: " if first.function else ""
            return Kind(first.kind, f"{function}{first.name}")
        case RootKind.GLOBAL:
            return Kind(first.kind, shown_root(graph, nodes[0], used=used))
    return Kind(first.kind, first.name if len(groups) == 1 else f"{first.kind}s")


def _goroutines(groups: list[RootGroup]) -> str:
    count = sum(group.several for group in groups)
    if count == 1:
        return f"{groups[0].name} in {groups[0].function}" if groups[0].function else groups[0].name
    return f"{counted(count, 'goroutine')} in {groups[0].function}"
