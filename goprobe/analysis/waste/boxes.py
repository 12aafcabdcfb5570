"""Interfaces that box the same small values: each has an object of its own for its value."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from goprobe.analysis.heap.graph import HeapGraph
from goprobe.analysis.waste.bytesat import alike
from goprobe.analysis.waste.equals import Equals, Places
from goprobe.analysis.waste.meanings import Meanings
from goprobe.analysis.waste.whose import MOST_ROWS, Whose, rest_of
from goprobe.model.address import Address
from goprobe.model.heap import Waste
from goprobe.runtime.heap.grouping import groups
from goprobe.runtime.heap.spantable import Ints
from goprobe.runtime.types.lonewords import type_of_itab
from goprobe.runtime.types.shape import Rule

BOXED = "equal boxed values"
_KEEP = "keep one boxed value of each, or a type that is no interface"
_SMALL = 16  # bytes: a string is the largest


def boxed(graph: HeapGraph, whose: Whose, meant: Meanings) -> Equals:
    """By the type of the value."""
    rows: list[Waste] = []
    compared = count = 0
    edges = meant.of(Rule.EFACE, Rule.IFACE)
    edges = edges[graph.nodes.target[edges] < len(graph.objects)]
    tables = graph.view.word_before(edges, meant.source[edges].astype(np.int64), -1)
    by_type: dict[int, list[Ints]] = {}
    of_iface = meant.rule[edges] == Rule.IFACE
    for is_iface in (False, True):
        mine = np.flatnonzero(of_iface == is_iface)
        for table, at in groups(tables[mine], np.argsort(tables[mine], kind="stable")):
            rtype = type_of_itab(graph.view, table) if is_iface else table
            by_type.setdefault(rtype, []).append(edges[mine[at]])
    typedata = graph.world.typedata
    for rtype, parts in by_type.items():
        size = typedata.size(rtype)
        if not 0 < size <= _SMALL or typedata.holds_pointer_directly(rtype):
            continue
        places = _boxes(graph, np.concatenate(parts), size)
        same = alike(graph.world.memory, places.address, places.size)
        compared, count = compared + same.compared, count + len(places.edge)
        if same.count:
            name = typedata.full_name(rtype)
            rows += _row(graph, whose, places.where(same.rows), same.group, same.count, name)
    rows.sort(key=lambda row: -row.bytes)
    if rest := rows[MOST_ROWS:]:
        number, size = sum(row.objects for row in rest), sum(row.bytes for row in rest)
        rows[MOST_ROWS:] = [rest_of(BOXED, number, size, rest[0].example, _KEEP)]
    return Equals(tuple(rows), compared, count)


def _boxes(graph: HeapGraph, edges: Ints, size: int) -> Places:
    """Each place that they lead to once. (Copies of an interface share its box.)"""
    nodes, objects = graph.nodes, graph.objects
    into = nodes.into[edges].astype(np.int64)
    edges = edges[into + size <= objects.size_of(nodes.target[edges])]
    target = nodes.target[edges]
    begin = objects.base[target] + nodes.into[edges].astype(np.uint64)
    address, first = np.unique(begin, return_index=True)
    node = target[first]
    cost = np.where(graph.view.tiny[node] & (size < _SMALL), size, objects.size_of(node))
    return Places(address, edges[first], np.full(len(node), size), cost)


def _row(
    graph: HeapGraph, whose: Whose, boxes: Places, group: Ints, count: int, name: str
) -> Iterator[Waste]:
    copies = np.bincount(group, minlength=count)
    most = int(np.argmax(copies))
    field, holder = whose.all_of(boxes.edge)
    several = f"{count:,} different values" if count > 1 else "one value"
    yield Waste(
        kind=BOXED,
        type=name,
        field=field,
        holder=holder,
        objects=len(group),
        bytes=int(boxes.saved(group, count).sum()),
        example=Address(int(boxes.address[np.argmax(group == most)])),
        advice=f"{several} in {len(group):,} boxes, that of the example in "
        f"{int(copies[most]):,}: {_KEEP}",
    )
