"""What keeps objects of the heap alive from outside of it: globals, stacks, finalizers, cleanups.

Source: src/runtime/mgcmark.go (markroot, markrootSpans, scanstack, scanframeworker), mfinal.go,
mcleanup.go, mheap.go (special…), Go 1.21 to 1.27. Every root is a word that holds an address; the
words are grouped by what a person would name: a variable, a variable of a goroutine's frame, a
finalizer.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import StrEnum

import msgspec
import numpy as np

from goprobe.binary.dwarf.gotypes import GoKind, GoType
from goprobe.errors import UnreadableError
from goprobe.process.memory.memory import u32, u64
from goprobe.runtime.heap.spantable import SpanTable
from goprobe.runtime.image.modules import Module
from goprobe.runtime.layout.lists import Lists
from goprobe.runtime.roots.statics import Links, Named, Statics
from goprobe.runtime.types.typenames import RTYPE_BYTES
from goprobe.runtime.world import World

_WORD = 8
_SECTION_LIMIT = 1 << 30


class RootKind(StrEnum):
    GLOBAL = "global"
    GOROUTINE = "goroutine"
    VARIABLE = "variable"
    FINALIZER = "finalizer"
    CLEANUP = "cleanup"
    WEAK = "weak handle"


class RootGroup(msgspec.Struct, frozen=True):
    """Roots with one name. `parent` is the group that it is part of (a frame's variable is one of
    its goroutine's), -1 for none. `address` is where the variable begins, 0 where it lies in no
    memory; `type` its type where that is known, by which its words have types.

    `conservative`: words of a frame that is not at a safe point; they may be no pointers.
    `through` is the object whose pointers are roots, too (an object with a finalizer), else 0, and
    `through_rtype` the descriptor of its type, where that is known.
    `rtype` is the descriptor of its type, where that alone is known of it. `before` is what stands
    before a lone pointer in a word that is none: an interface's type, say.
    """

    kind: RootKind
    name: str
    parent: int = -1
    address: int = 0
    type: GoType | None = None
    goroutine: int = 0
    function: str = ""
    conservative: bool = False
    through: int = 0
    rtype: int = 0
    before: int = 0
    through_rtype: int = 0


class Roots(msgspec.Struct):
    """`values[i]` was found at `addresses[i]` (0: in a register), and belongs to `groups[i]`."""

    groups: list[RootGroup] = msgspec.field(default_factory=list)
    values: list[int] = msgspec.field(default_factory=list)
    addresses: list[int] = msgspec.field(default_factory=list)
    owners: list[int] = msgspec.field(default_factory=list)
    notes: list[str] = msgspec.field(default_factory=list)

    def group(self, group: RootGroup) -> int:
        self.groups.append(group)
        return len(self.groups) - 1

    def add(self, owner: int, address: int, value: int) -> None:
        self.owners.append(owner)
        self.addresses.append(address)
        self.values.append(value)


def global_roots(world: World, modules: Iterable[Module], low: int, high: int) -> Roots:
    """Pointers to [low, high) in the data and bss of every module, by the linker's masks."""
    roots = Roots()
    modules = tuple(modules)
    links = Links(modules)
    found: list[tuple[list[int], list[int], list[int], str]] = []
    for module in modules:
        for section, (mask, count) in module.pointers.items():
            start, end = module.span(section)
            if not 0 < end - start <= _SECTION_LIMIT:
                continue
            count = min(count, (end - start) // _WORD)
            try:
                words = np.frombuffer(world.memory.read(start, count * _WORD), np.uint64)
                raw = np.frombuffer(world.memory.read(mask, -(-count // 8)), np.uint8)
            except UnreadableError as error:
                roots.notes.append(f"the {section} section of the program: {error.why}")
                continue
            held = np.unpackbits(raw, bitorder="little")[:count] != 0
            links.add(start, words, held)
            places = np.flatnonzero(held & (words >= np.uint64(low)) & (words < np.uint64(high)))
            at = (start + places * _WORD).tolist()
            plain = (places > 0) & ~held[places - 1]
            word_before = np.where(plain, words[places - 1], np.uint64(0)).tolist()
            found.append((at, words[places].tolist(), word_before, module.name or section))
    statics = Statics(world, links, lambda address: declared_at(world, address))
    for addresses, values, before, name in found:
        _name_globals(world, statics, roots, addresses, values, before, name)
    return roots


def _name_globals(
    world: World, statics: Statics, roots: Roots, addresses: list[int], values: list[int],
    before: list[int], module: str,
) -> None:  # fmt: skip
    last: Named | None = None
    owner = -1
    for address, value, word in zip(addresses, values, before, strict=True):
        if last is None or not last.low <= address < last.high:
            last = declared_at(world, address) or statics.at(address)
            last = last or _placed_at(world, address, module)
            owner = roots.group(
                RootGroup(
                    RootKind.GLOBAL, last.shown, -1, last.low, last.type,
                    before=0 if last.type or last.low != address else word,
                )
            )  # fmt: skip
        roots.add(owner, address, value)


def declared_at(world: World, address: int) -> Named | None:
    """The package-level variable at an address, by debug information."""
    program, link = world.program, address - world.bias
    found = None if program.stripped else program.debug.global_at(link)
    if found is None:
        return None
    kind = program.debug.types.at(found.type)
    if not found.address <= link < found.address + kind.size:
        return None
    low = found.address + world.bias
    return Named(low, low + kind.size, found.name, kind)


def _placed_at(world: World, address: int, module: str) -> Named:
    """What lies at an address by symbols, else by place."""
    program, link = world.program, address - world.bias
    symbol = program.elf.symbol_at(link)
    if symbol:
        low = symbol.address + world.bias
        return Named(low, low + symbol.size, symbol.name, None)
    return Named(address, address + _WORD, f"{module}+{link:#x}", None)


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
        RootGroup(what, f"{what} of {about:#x}", address=at, through=through, through_rtype=rtype)
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
        owner = roots.group(RootGroup(RootKind.FINALIZER, "queue of finalizers to run"))
        at = _first_block(world, roots, "allfin", 0, "finalizers")
        for block in _blocks(world, roots, at, "finBlock", "alllink"):
            _queued(world, roots, owner, block, "finBlock", "cnt", "fin", size, words)
    if layout.has("cleanupQueue", "all"):
        owner = roots.group(RootGroup(RootKind.CLEANUP, "queue of cleanups to run"))
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
    world: World, roots: Roots, owner: int, block: int, struct: str, count: str, first: str,
    size: int, words: list[int],
) -> None:  # fmt: skip
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


def join(parts: Iterable[Roots]) -> Roots:
    """All of them as one, groups renumbered."""
    whole = Roots()
    for part in parts:
        shift = len(whole.groups)
        for group in part.groups:
            if group.parent >= 0 and shift:
                group = _moved(group, shift)
            whole.groups.append(group)
        whole.values += part.values
        whole.addresses += part.addresses
        whole.owners += [owner + shift for owner in part.owners]
        whole.notes += part.notes
    return whole


def _moved(group: RootGroup, shift: int) -> RootGroup:
    return RootGroup(
        group.kind, group.name, group.parent + shift, group.address, group.type, group.goroutine,
        group.function, group.conservative, group.through, group.rtype,
        group.before, group.through_rtype,
    )  # fmt: skip
