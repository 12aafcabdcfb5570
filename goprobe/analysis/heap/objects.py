"""Single objects of a heap's graph: who points at one, by which way it is kept, what is in it."""

from __future__ import annotations

import numpy as np
from msgspec import UNSET
from msgspec.structs import replace

from goprobe.analysis.heap.contents import contents, decoder, shares_slot
from goprobe.analysis.heap.graph import HeapGraph
from goprobe.analysis.heap.names import Names
from goprobe.analysis.heap.reach import UNREACHED
from goprobe.analysis.locate.locator import Locator
from goprobe.binary.dwarf.called import full_names
from goprobe.errors import NotGoError, UnreadableError
from goprobe.model.heap import STEPS_LEFT_OUT, ObjectView, Referrer
from goprobe.model.location import Location
from goprobe.runtime.heap.spantable import Ints
from goprobe.runtime.roots.groups import RootKind
from goprobe.runtime.values.decoded import Decoded, Limits

Way = list[tuple[int, int]]
"""(node, edge by which it was reached; -1 for the first)"""

_TRIED = 64
_SHOWN_STEPS = 200
_MOST_REFERRERS = 1000


def incoming(graph: HeapGraph, node: int) -> Ints:
    """The numbers of the edges that lead to a node."""
    return np.flatnonzero(graph.nodes.target == node).astype(np.int64)


def paths(
    graph: HeapGraph, names: Names, node: int, most: int
) -> tuple[tuple[tuple[Location, ...], ...], tuple[str, ...]]:
    """Shortest paths from roots, by different last referrers, shortest first; and their texts."""
    ways: list[Way] = []
    shortest = int(graph.reach.via[node])
    others = incoming(graph, node)[: _TRIED * max(most, 1)].tolist()
    for edge in dict.fromkeys([shortest, *others] if shortest >= 0 else others):
        way = _way(graph, graph.nodes.source_of(edge), node)
        if way:
            ways.append([*way, (node, edge)])
    ways.sort(key=len)
    chosen = ways[: max(most, 1)]
    told = [_told(names, way) for way in chosen]
    return tuple(steps for steps, _ in told), tuple(text for _, text in told)


def shortest(graph: HeapGraph, names: Names, node: int) -> tuple[tuple[Location, ...], str]:
    """The shortest path to a node, and its text; both empty where no root leads to it."""
    return _told(names, _way(graph, node, UNREACHED))


def _way(graph: HeapGraph, node: int, without: int) -> Way:
    """The shortest way to a node, from a root on; empty where it leads through `without`."""
    nodes, via = graph.nodes, graph.reach.via
    way: Way = []
    while node != nodes.root:
        if node == without:
            return []
        edge = int(via[node])
        if edge == UNREACHED:
            return []
        way.append((node, edge))
        node = nodes.source_of(edge)
    return way[::-1]


def _told(names: Names, way: Way) -> tuple[tuple[Location, ...], str]:
    """The steps of a way, each with the field that led to it, and where its pointer to the next
    one lies; and its text. How many are left out is told by the one behind them."""
    half = _SHOWN_STEPS // 2
    told = names.steps(way)
    steps = []
    for i, (node, _) in enumerate(way):
        if half <= i < len(way) - half:
            continue
        via, outside = (told.steps[i - 1], told.outside[i - 1]) if i else ("", "")
        step = names.location(node, via, way[i + 1][1] if i + 1 < len(way) else -1, outside)
        if i == len(way) - half and i > half:
            step = replace(step, detail=step.detail | {STEPS_LEFT_OUT: i - half})
        steps.append(step)
    return tuple(steps), told.text()


def referrers(graph: HeapGraph, names: Names, node: int) -> tuple[Referrer, ...]:
    """Every object and root that points at one."""
    return referring(graph, names, node, incoming(graph, node)[:_MOST_REFERRERS])


def referring(graph: HeapGraph, names: Names, node: int, edges: Ints) -> tuple[Referrer, ...]:
    """Who points at an object by these edges."""
    sources = []
    for edge in edges.tolist():
        source = graph.nodes.source_of(edge)
        if source == graph.nodes.root:
            continue
        into = int(graph.nodes.into[edge]) - int(graph.lead[graph.objects.span[node]])
        sources.append(Referrer(names.location(source, "", edge), names.field(source, edge), into))
    return tuple(sources)


def object_view(
    graph: HeapGraph, names: Names, node: int, *, retained: bool, limits: Limits | None = None
) -> ObjectView:
    """One object, decoded by its type."""
    view = ObjectView(
        location=names.location(node),
        type=graph.type_name(node) or "?",
        reachable=bool(graph.reachable[node]),
        retained_bytes=int(graph.retained[node]) if retained else UNSET,
    )
    return _filled(view, contents(graph, node, limits), _why_no_value(graph, node))


def variable_view(graph: HeapGraph, name: str, *, retained: bool) -> ObjectView | None:
    """A package-level variable, by the debug information; None where there is none so called."""
    world, debug = graph.world, graph.world.program.debug
    known = [n for n in full_names(debug, name) if n in debug.globals] if debug.present else []
    if not known:
        return None
    name = known[0]
    variable = debug.globals[name]
    go_type = world.program.debug.types.at(variable.type)
    address = variable.address + world.bias
    view = ObjectView(
        location=Locator(world).locate(address),
        type=go_type.name,
        reachable=True,
        retained_bytes=_kept_by(graph, name) if retained else UNSET,
    )
    try:
        return _filled(view, decoder(world).at(go_type, address), "")
    except (UnreadableError, NotGoError, KeyError) as error:
        return replace(view, why=f"it cannot be read: {error}")


def _kept_by(graph: HeapGraph, name: str) -> int:
    nodes, n = graph.nodes, len(graph.objects)
    own = (i for i in range(n, nodes.root) if nodes.group(i).kind is RootKind.GLOBAL)
    return sum(int(graph.retained[i]) for i in own if nodes.group(i).name.strip("*") == name)


def _why_no_value(graph: HeapGraph, node: int) -> str:
    """What is said where the contents of an object cannot be decoded."""
    if not graph.typing.shape[node]:
        return "its type is not known"
    if not graph.world.program.debug.present:
        return "the program has no debug information, and no descriptor tells how it is made"
    if graph.typing.inner[node]:
        return "only pointers to a part of it are known, not what the whole is"
    if shares_slot(graph, node):
        return "other values may share its slot, and nothing says how many of the elements are its"
    return "the debug information does not describe it, or it cannot be read"


def _filled(view: ObjectView, made: Decoded | None, why: str) -> ObjectView:
    if made is None:
        return replace(view, why=why)
    return replace(view, value=made.value, data=made.data, elements=made.elements)
