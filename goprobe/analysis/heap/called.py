"""From what people call an object to the object: "main.sessions" is what that variable points at,
"main.Session#3" the third object of that type, in order of address."""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import get_close_matches

import msgspec
import numpy as np

from goprobe.analysis.heap.graph import HeapGraph
from goprobe.counts import counted
from goprobe.errors import UsageError
from goprobe.runtime.heap.spantable import Ints
from goprobe.runtime.roots.groups import RootKind

_SHOWN = 4
_PLAIN = re.compile(r"[\w./~-]+")  # a declared name: no pointer, map or slice


class Called(msgspec.Struct, frozen=True):
    """An object by a name; `note` says which of several it is."""

    node: int
    note: str = ""


def object_called(graph: HeapGraph, name: str) -> Called:
    """Raises UsageError, with the nearest names, where there is none."""
    variables = _variables(graph)
    if name in variables:
        return _held_by(graph, name, variables[name])
    wanted, _, number = name.partition("#")
    types = _types(graph)
    if wanted in types:
        return _of_type(graph, wanted, types[wanted], number)
    last = [
        n
        for n in (*variables, *types)
        if _PLAIN.fullmatch(n) and n.endswith((f".{wanted}", f"/{wanted}"))
    ]
    if len(last) == 1:
        return object_called(graph, last[0] + (f"#{number}" if number else ""))
    debug = graph.world.program.debug
    if wanted in debug.globals:
        raise UsageError(f"{wanted} is a variable that leads to no object of the heap")
    if wanted in debug.index.types:
        raise UsageError(f"no object of the heap is known to be a {wanted}")
    near = last[:_SHOWN] or _nearest(wanted, (*variables, *types))
    raise UsageError(
        f"there is no address, variable or type {name!r}",
        hint=f"nearest: {', '.join(near)}" if near else "goprobe heap PID --types lists the types",
    )


def _nearest(wanted: str, names: Sequence[str]) -> list[str]:
    """Those that are spelt nearly so, whole or without the path of their package."""
    ends: dict[str, list[str]] = {}
    for name in dict.fromkeys(names):
        for known in {name, name.rpartition("/")[2]}:
            ends.setdefault(known, []).append(name)
    close = get_close_matches(wanted, ends, _SHOWN, 0.5)
    return list(dict.fromkeys(name for known in close for name in ends[known]))[:_SHOWN]


def _variables(graph: HeapGraph) -> dict[str, list[int]]:
    """The package-level variables that lead into the heap, and their nodes."""
    nodes, n = graph.nodes, len(graph.objects)
    made: dict[str, list[int]] = {}
    for node in range(n, nodes.root):
        group = nodes.group(node)
        if group.kind is RootKind.GLOBAL:
            # What a variable points at outside of the heap is a root by the name "*main.cache".
            made.setdefault(group.name.removeprefix("*"), []).append(node)
    return made


def _held_by(graph: HeapGraph, name: str, roots: list[int]) -> Called:
    nodes = graph.nodes
    edges = [e for r in roots for e in range(int(nodes.first[r]), int(nodes.first[r + 1]))]
    targets = dict.fromkeys(int(nodes.target[e]) for e in edges)
    held = [node for node in targets if nodes.is_object(node)]
    if not held:
        raise UsageError(f"{name} points at no object of the heap")
    if len(held) == 1:
        return Called(held[0])
    several = ", ".join(f"{graph.address(node):#x}" for node in held[:_SHOWN])
    return Called(
        held[0],
        f"{name} points at {len(held)} objects: {several}{', …' if len(held) > _SHOWN else ''}; "
        "this is the first",
    )


def _types(graph: HeapGraph) -> dict[str, list[int]]:
    """The types of objects, and their shapes."""
    made: dict[str, list[int]] = {}
    for number in np.flatnonzero(np.bincount(graph.typing.shape)).tolist():
        if number:
            made.setdefault(graph.shapes[number].name, []).append(number)
    return made


def _of_type(graph: HeapGraph, name: str, shapes: list[int], number: str) -> Called:
    of_it: Ints = np.flatnonzero(np.isin(graph.typing.shape, shapes)).astype(np.int64)
    if number and not (number.isascii() and number.isdecimal() and len(number) < 10):
        raise UsageError(f"{name}#{number}: behind # there is a number, from 1 on")
    which = int(number or 1)
    if not 1 <= which <= len(of_it):
        raise UsageError(
            f"there are {counted(len(of_it), 'object')} of type {name}, and no number {which}"
        )
    node = int(of_it[which - 1])
    if len(of_it) == 1:
        return Called(node)
    return Called(
        node,
        f"this is number {which} of {len(of_it):,} objects of type {name}, in order of address"
        f" ({name}#{which})",
    )
