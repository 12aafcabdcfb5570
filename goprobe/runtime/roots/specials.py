"""Roots that the runtime notes beside the heap: finalizers, cleanups, weak handles.

Source: src/runtime/mgcmark.go (markrootSpans), mfinal.go, mcleanup.go, mheap.go (special…), Go 1.21
to 1.27.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from contextlib import suppress

import numpy as np

from goprobe.binary.dwarf.gotypes import GoKind
from goprobe.counts import counted
from goprobe.errors import UnreadableError
from goprobe.process.memory.arrays import give_back_small_arrays
from goprobe.process.memory.copies import Words
from goprobe.process.memory.memory import u32, u64
from goprobe.runtime.heap.grouping import by_key
from goprobe.runtime.heap.objects import Ids
from goprobe.runtime.heap.spantable import SpanTable
from goprobe.runtime.layout.layout import Layout
from goprobe.runtime.layout.lists import Lists
from goprobe.runtime.roots.groups import RootGroup, RootKind, Roots
from goprobe.runtime.roots.speciallists import Fields, Pages, Specials, follow
from goprobe.runtime.types.typenames import RTYPE_BYTES
from goprobe.runtime.world import World

_WORD = 8
_CLEANUP = ("call", "fn", "arg")  # of cleanupFn (mcleanup.go), since Go 1.26
_MANY = 1000  # of a kind, of one type: they are one group of roots


class _Noted:
    """Specials of one kind, a part at a time: where each is, the address that it is about, the
    descriptor of the object's type (0 where that is not known), and its pointers."""

    def __init__(self, what: RootKind, kind: int, struct: str, words: tuple[int, ...]) -> None:
        self.what, self.kind, self.words = what, kind, words
        self._struct = struct
        self.at: list[Words] = []
        self.about: list[Words] = []
        self.rtypes: list[Words] = []
        self.values: list[list[Words]] = []

    def note(self, world: World, pages: Pages, specials: Specials) -> None:
        chosen = specials.kind == self.kind
        if chosen.any():
            fields = Fields(pages, world.layout, self._struct, specials.at[chosen])
            finalized = self.what is RootKind.FINALIZER
            self.at.append(fields.at)
            self.about.append(specials.about[chosen])
            self.rtypes.append(_finalized(world, fields["ot"]) if finalized else fields.at * 0)
            self.values.append([fields.number(offset) for offset in self.words])


def special_roots(world: World, spans: SpanTable) -> Roots:
    """Finalizers, cleanups and weak handles of objects (mspan.specials), in spans in use."""
    roots = Roots()
    pages = Pages(world.memory)
    kinds = [_Noted(*kind) for kind in _kinds(world.layout)]
    broken, stray = "", 0
    for specials in follow(pages, world.layout, spans):
        for noted in kinds:
            noted.note(world, pages, specials)
        broken, stray = broken or specials.broken, stray + specials.stray
    give_back_small_arrays()  # each step along the lists has made some
    for noted in kinds:
        _add(roots, noted)
    if broken:
        roots.lose(f"finalizers and cleanups may be missing: {broken}")
    if stray:
        roots.lose(f"{stray} finalizers or cleanups are of objects that cannot be there")
    return roots


def _kinds(layout: Layout) -> Iterator[tuple[RootKind, int, str, tuple[int, ...]]]:
    """Kinds of specials that this release has: the number of each, its struct, and where in it
    pointers are."""
    constants = layout.constants
    # Of an object with a finalizer all that it points at is kept, not the object itself: else it
    # would never die (markrootSpans). The closure that will be called is a root like any other.
    if (kind := constants.get("_KindSpecialFinalizer")) is not None:
        yield (
            RootKind.FINALIZER,
            kind,
            "specialfinalizer",
            (layout.offset("specialfinalizer", "fn"),),
        )
    if (kind := constants.get("_KindSpecialWeakHandle")) is not None:
        at = layout.offset("specialWeakHandle", "handle")
        yield RootKind.WEAK, kind, "specialWeakHandle", (at,)
    if (kind := constants.get("_KindSpecialCleanup")) is not None:
        if layout.has("specialCleanup", "cleanup"):
            start = layout.offset("specialCleanup", "cleanup")
            parts = [start + layout.offset("cleanupFn", name) for name in _CLEANUP]
        else:
            parts = [layout.offset("specialCleanup", "fn")]
        yield RootKind.CLEANUP, kind, "specialCleanup", tuple(parts)


def _add(roots: Roots, noted: _Noted) -> None:
    owner, begin = _groups(roots, noted), 0
    for at, values in zip(noted.at, noted.values, strict=True):
        own = owner[begin : begin + len(at)]
        begin += len(at)
        for offset, value in zip(noted.words, values, strict=True):
            filled = value != 0
            roots.add_many(own[filled], at[filled] + np.uint64(offset), value[filled])


def _groups(roots: Roots, noted: _Noted) -> Ids:
    """The group of each: many of one type are one."""
    at, about, rtypes = (
        np.concatenate([np.zeros(0, np.uint64), *parts])
        for parts in (noted.at, noted.about, noted.rtypes)
    )
    noted.about.clear()
    noted.rtypes.clear()
    what, owner = noted.what, np.zeros(len(at), np.int32)
    none = np.zeros(0, np.uint64)
    helpers, calls, arguments = none, none, none
    if what is RootKind.CLEANUP:
        words = [
            np.concatenate([none, *(p[i] for p in noted.values)]) for i in range(len(noted.words))
        ]
        helpers, calls, arguments = words if len(words) == len(_CLEANUP) else (words[0], none, none)
    weak = what is RootKind.WEAK
    handles = np.concatenate([none, *(p[0] for p in noted.values)]) if weak else none
    for (rtype,), rows in by_key(rtypes):
        for some in [rows] if len(rows) > _MANY else rows[:, np.newaxis]:
            one = len(some) == 1
            whose = (
                f" of {int(about[some[0]]):#x}" if one else f"s of {counted(len(some), 'object')}"
            )
            group = RootGroup(
                kind=what,
                name=f"{what}{whose}",
                address=int(at[some[0]]) if one else 0,
                through=array("Q", about[some].tobytes() if what is RootKind.FINALIZER else b""),
                through_rtype=rtype,
                helpers=array("Q", helpers[some].tobytes() if len(helpers) else b""),
                calls=array("Q", calls[some].tobytes() if len(calls) else b""),
                arguments=array("Q", arguments[some].tobytes() if len(calls) else b""),
                handles=array("Q", handles[some].tobytes() if weak else b""),
                about=array("Q", about[some].tobytes() if weak else b""),
            )
            owner[some] = roots.group(group)
    return owner


def _finalized(world: World, pointers: Words) -> Words:
    """The types of objects with finalizers, by those of the pointers that were handed over."""
    rtypes = np.zeros(len(pointers), np.uint64)
    for (pointer,), rows in by_key(pointers):
        with suppress(UnreadableError):
            if world.typedata.kind(pointer) is GoKind.POINTER:
                rtypes[rows] = u64(world.memory, pointer + RTYPE_BYTES)
    return rtypes


def queued_roots(world: World) -> Roots:
    """Finalizers and cleanups whose objects are gone already, and which wait to be run."""
    roots = Roots()
    layout = world.layout
    if layout.has("finBlock"):
        size = layout.struct("finalizer").size
        words = [layout.offset("finalizer", name) for name in ("fn", "arg")]
        owner = roots.group(RootGroup(kind=RootKind.FINALIZER, name="queue of finalizers to run"))
        at = _first_block(world, roots, "allfin", 0, "finalizers")
        for block in _blocks(world, roots, at, "finBlock", "alllink"):
            _queued(world, roots, owner, block, "finBlock", "cnt", "fin", size, words)
    if layout.has("cleanupQueue", "all"):
        owner = roots.group(RootGroup(kind=RootKind.CLEANUP, name="queue of cleanups to run"))
        link, count = "cleanupBlockHeader.alllink", "cleanupBlockHeader.n"
        size, words = _WORD, [0]
        if layout.has("cleanupFn"):
            size = layout.struct("cleanupFn").size
            words = [layout.offset("cleanupFn", name) for name in _CLEANUP]
        head = layout.offset("cleanupQueue", "all")
        at = _first_block(world, roots, "gcCleanups", head, "cleanups")
        for block in _blocks(world, roots, at, "cleanupBlock", link):
            _queued(world, roots, owner, block, "cleanupBlock", count, "cleanups", size, words)
    return roots


def _first_block(world: World, roots: Roots, queue: str, head: int, what: str) -> int:
    """The first block of a queue whose head lies so far behind its root."""
    at = world.roots.get(queue, 0)
    try:
        if at:
            return u64(world.memory, at + head)
        why = f"runtime.{queue} was not found in this stripped program"
    except UnreadableError as error:
        why = str(error)
    roots.lose(
        f"{what} that wait to run are not known, and what only they keep is told as unreachable: "
        f"{why}"
    )
    return 0


def _blocks(world: World, roots: Roots, first: int, struct: str, link: str) -> Iterator[int]:
    lists = Lists(world.memory)
    for block in lists.follow(world.layout.struct(struct), first, link):
        yield block.address
    if lists.broken:
        roots.lose(f"finalizers and cleanups that wait may be missing: {lists.broken}")


def _queued(
    world: World,
    roots: Roots,
    owner: int,
    block: int,
    struct: str,
    count: str,
    first: str,
    size: int,
    words: list[int],
) -> None:
    layout = world.layout
    try:
        number = u32(world.memory, block + layout.offset(struct, count))
        start = block + layout.offset(struct, first)
        # Blocks are filled from their beginning. A finalizer that was taken is counted no more (it
        # comes from the end), a cleanup that was taken is zeros (mfinal.go, mcleanup.go).
        room = (layout.struct(struct).size - layout.offset(struct, first)) // size
        for i in range(min(number, room)):
            for offset in words:
                address = start + i * size + offset
                value = u64(world.memory, address)
                if value:
                    roots.add(owner, address, value)
    except UnreadableError as error:
        roots.lose(f"finalizers and cleanups that wait may be missing: {error.why}")
