"""Roots that the runtime notes beside the heap: finalizers, cleanups, weak handles.

Source: src/runtime/mgcmark.go (markrootSpans), mfinal.go, mcleanup.go, mheap.go (special…), Go 1.21
to 1.27.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from goprobe.binary.dwarf.gotypes import GoKind
from goprobe.errors import UnreadableError
from goprobe.process.memory.memory import u32, u64
from goprobe.runtime.heap.spantable import SpanTable
from goprobe.runtime.layout.lists import Lists
from goprobe.runtime.roots.groups import RootGroup, RootKind, Roots
from goprobe.runtime.types.typenames import RTYPE_BYTES
from goprobe.runtime.world import World

_WORD = 8


def special_roots(world: World, spans: SpanTable) -> Roots:
    """Finalizers, cleanups and weak handles of objects (mspan.specials), in spans in use."""
    roots = Roots()
    lists, struct = Lists(world.memory), world.layout.struct("special")
    page = world.layout.constants["_PageSize"]
    stray = 0
    for row in np.flatnonzero(spans.specials).tolist():
        base, size = int(spans.base[row]), int(spans.npages[row]) * page
        for special in lists.follow(struct, int(spans.specials[row]), "next"):
            if special["offset"] < size:
                about = base + special["offset"]
                _add_special(world, roots, special["kind"], special.address, about)
            else:
                stray += 1
    if lists.broken:
        roots.notes.append(f"finalizers and cleanups may be missing: {lists.broken}")
    if stray:
        roots.notes.append(f"{stray} finalizers or cleanups are of objects that cannot be there")
    return roots


def _add_special(world: World, roots: Roots, kind: int, at: int, about: int) -> None:
    constants, layout = world.layout.constants, world.layout
    words: list[int] = []
    if kind == constants.get("_KindSpecialFinalizer"):
        what, words = RootKind.FINALIZER, [layout.offset("specialfinalizer", "fn")]
    elif kind == constants.get("_KindSpecialWeakHandle"):
        what, words = RootKind.WEAK, [layout.offset("specialWeakHandle", "handle")]
    elif kind == constants.get("_KindSpecialCleanup"):
        what = RootKind.CLEANUP
        if layout.has("specialCleanup", "cleanup"):
            start = layout.offset("specialCleanup", "cleanup")
            words = [start + layout.offset("cleanupFn", name) for name in ("call", "fn", "arg")]
        else:
            words = [layout.offset("specialCleanup", "fn")]
    else:
        return
    through, rtype = 0, 0
    if what is RootKind.FINALIZER:
        through, rtype = about, _finalized(world, at + layout.offset("specialfinalizer", "ot"))
    owner = roots.group(
        RootGroup(
            kind=what,
            name=f"{what} of {about:#x}",
            address=at,
            through=through,
            through_rtype=rtype,
        )
    )
    for offset in words:
        try:
            value = u64(world.memory, at + offset)
        except UnreadableError:
            continue
        if value:
            roots.add(owner, at + offset, value)


def _finalized(world: World, at: int) -> int:
    """The type of an object with a finalizer, by the type of the pointer that was handed over."""
    try:
        pointer = u64(world.memory, at)
        if world.typedata.kind(pointer) is GoKind.POINTER:
            return u64(world.memory, pointer + RTYPE_BYTES)
    except UnreadableError:
        pass
    return 0


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
            words = [layout.offset("cleanupFn", name) for name in ("call", "fn", "arg")]
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
    roots.notes.append(
        f"{what} that wait to run are not known, and what only they keep is told as unreachable: "
        f"{why}"
    )
    return 0


def _blocks(world: World, roots: Roots, first: int, struct: str, link: str) -> Iterator[int]:
    lists = Lists(world.memory)
    for block in lists.follow(world.layout.struct(struct), first, link):
        yield block.address
    if lists.broken:
        roots.notes.append(f"finalizers and cleanups that wait may be missing: {lists.broken}")


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
        room = (layout.struct(struct).size - layout.offset(struct, first)) // size
        for i in range(min(number, room)):
            for offset in words:
                address = start + i * size + offset
                value = u64(world.memory, address)
                if value:
                    roots.add(owner, address, value)
    except UnreadableError:
        return
