"""Words that tell by themselves, in objects and roots of which nothing tells the type.

A word that is no pointer to the collector, leads to a type or an itab, and stands before a pointer,
is the first of an interface; one that leads to the beginning of a function, and begins an object,
makes a closure of it (src/runtime/runtime2.go: eface, iface, funcval; Go 1.21 to 1.27).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from goprobe.binary.dwarf.gotypes import GoKind
from goprobe.runtime.heap.grouping import distinct, groups
from goprobe.runtime.heap.objects import Ids
from goprobe.runtime.heap.spantable import Ints
from goprobe.runtime.types.heapview import HeapView, exact
from goprobe.runtime.types.wholes import WholeType

_WORD = 8
_BITS = 64
_USER_SPACE = 1 << 47  # of x86-64: no type lies beyond
_LEAST_ADDRESS = 1 << 12  # minLegalPointer, runtime/malloc.go, Go 1.21 to 1.27


def type_of_itab(view: HeapView, itab: int) -> int:
    """The descriptor of the type in an itab; 0 where there is no itab, which begins with the
    interface's own descriptor."""
    if itab % _WORD or itab < _LEAST_ADDRESS:
        return 0
    inter = view.witnesses.word(itab)
    if inter % _WORD or view.witnesses.kind(inter) is not GoKind.INTERFACE:
        return 0
    return view.witnesses.word(itab + _WORD)


def interfaces(view: HeapView, types: Ids) -> Iterator[tuple[int, Ints, Ints]]:
    """The types of interfaces' values, with the edges that lead to those and their sources.
    `types` are the shapes of objects, as far as they are known."""
    nodes = _unexplained(view, types)
    edges, row = view.graph.edges_of(nodes)
    at = view.graph.offset[edges].astype(np.uint64)
    masks = view.masks(nodes).view(np.uint64)
    before = np.minimum(at - np.minimum(at, np.uint64(1)), np.uint64(_BITS - 1))
    alone = (at > 0) & (masks[row] >> before & np.uint64(1) == 0)
    edges, source = edges[alone], nodes[row[alone]]
    tables = view.word_before(edges, source, -1)
    # Nearly all of a million different numbers are no addresses, and are not looked up one by one.
    good = (tables % np.uint64(_WORD) == 0) & (tables < np.uint64(_USER_SPACE))
    good &= tables >= np.uint64(_LEAST_ADDRESS)
    tables, edges, source = tables[good], edges[good], source[good]
    for table, rows in groups(tables, np.argsort(tables, kind="stable")):
        if rtype := _type_in(view, table):
            yield rtype, edges[rows], source[rows]
    yield from _of_roots(view)


def _of_roots(view: HeapView) -> Iterator[tuple[int, Ints, Ints]]:
    for row in np.flatnonzero(view.roots.before).tolist():
        if rtype := _type_in(view, int(view.roots.before[row])):
            node = np.array([view.roots.base + row], np.int64)
            edges, _ = view.graph.edges_of(node)
            yield rtype, edges, np.repeat(node, len(edges))


def closures(view: HeapView, types: Ids) -> Ints:
    """The objects that begin with the address of a function; what they hold may be static."""
    nodes = _unexplained(view, types, leading=False)
    nodes = nodes[view.masks(nodes).view(np.uint64) & np.uint64(1) == 0]
    code = view.words_at(nodes, 0)
    near = np.zeros(len(code), bool)
    for low, high in view.witnesses.texts:
        near |= (code >= np.uint64(low)) & (code < np.uint64(high))
    nodes, code = nodes[near], code[near]
    entries = [pc for pc in distinct(code).tolist() if view.witnesses.is_function(pc)]
    entered: Ints = nodes[np.isin(code, np.array(entries, np.uint64))]
    return entered


def alone(view: HeapView, types: Ids, parts: Ids) -> Iterator[tuple[WholeType, Ints]]:
    """Objects of which nothing is known, `parts` of them neither, with what alone has such a size
    and such pointer words."""
    nodes = _unexplained(view, types)
    nodes = np.setdiff1d(nodes[parts[nodes] == 0], closures(view, types), assume_unique=True)
    slots, slot_of = view.slots
    which, masks = slot_of[view.objects.span[nodes]], view.masks(nodes)
    for number, rows in groups(which, np.argsort(which, kind="stable")):
        slot, alike = slots[number], rows[np.argsort(masks[rows], kind="stable")]
        for mask, same in groups(masks, alike):
            whole = view.witnesses.by_mask.alone(slot, exact(mask, slot) or 0)
            if whole is not None:
                yield whole, nodes[same]


def _unexplained(view: HeapView, types: Ids, *, leading: bool = True) -> Ints:
    """Objects without a type, of which it is known where pointers may be: those that lead to
    objects, or (not `leading`) all."""
    first, span = view.graph.first, view.objects.span
    apt = (view.room <= _WORD * _BITS) & ~view.noscan
    chosen = types[: view.n] == 0
    for part in view.objects.parts():
        if leading:
            chosen[part] &= first[part.start + 1 : part.stop + 1] > first[part]
        chosen[part] &= apt[span[part]]
    return np.flatnonzero(chosen).astype(np.int64)


def _type_in(view: HeapView, word: int) -> int:
    """The type that the first word of an interface tells, 0 where it is no such word."""
    catalog = view.witnesses.catalog
    if catalog.row(word) >= 0:
        return word
    rtype = type_of_itab(view, word)
    return rtype if catalog.row(rtype) >= 0 else 0
