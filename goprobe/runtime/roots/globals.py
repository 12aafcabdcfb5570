"""Roots in package-level variables, by the linker's masks of the pointers in data and bss.

Source: src/runtime/mgcmark.go (markroot, markrootBlock), Go 1.21 to 1.27.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property

import msgspec
import numpy as np
from numpy.typing import NDArray

from goprobe.errors import UnreadableError
from goprobe.process.memory.copies import Words
from goprobe.runtime.image.modules import Module
from goprobe.runtime.roots.groups import RootGroup, RootKind, Roots
from goprobe.runtime.roots.statics import Links, Named, Statics
from goprobe.runtime.world import World

_WORD = 8
_SECTION_LIMIT = 1 << 30


def global_roots(world: World, modules: Iterable[Module], low: int, high: int) -> Roots:
    """Pointers to [low, high) in the data and bss of every module, by the linker's masks."""
    roots = Roots()
    modules = tuple(modules)
    links = Links(modules)
    words_found: list[tuple[list[int], list[int], list[int], str]] = []
    for section in _sections(world, modules, roots):
        words, pointers = section.words, section.pointers
        links.add(section.start, words, pointers)
        places = np.flatnonzero(pointers & (words >= np.uint64(low)) & (words < np.uint64(high)))
        at = (section.start + places * _WORD).tolist()
        plain = (places > 0) & ~pointers[places - 1]
        word_before = np.where(plain, words[places - 1], np.uint64(0)).tolist()
        words_found.append((at, words[places].tolist(), word_before, section.name))
    statics = Statics(world, links, lambda address: declared_at(world, address))
    for addresses, values, before, name in words_found:
        _name_globals(world, statics, roots, addresses, values, before, name)
    return roots


def _name_globals(
    world: World,
    statics: Statics,
    roots: Roots,
    addresses: list[int],
    values: list[int],
    before: list[int],
    module: str,
) -> None:
    last: Named | None = None
    owner = -1
    for address, value, word in zip(addresses, values, before, strict=True):
        if last is None or not last.low <= address < last.high:
            last = declared_at(world, address) or statics.at(address)
            last = last or _placed_at(world, address, module)
            owner = roots.group(
                RootGroup(
                    kind=RootKind.GLOBAL,
                    name=last.shown,
                    parent=-1,
                    address=last.low,
                    type=last.type,
                    before=0 if last.type or last.low != address else word,
                )
            )
        roots.add(owner, address, value)


class Variables:
    """Names and types of package-level memory, of what has no name of its own by what leads to
    it."""

    def __init__(self, world: World) -> None:
        self._world = world

    def at(self, address: int) -> Named | None:
        """None where no variable leads there."""
        return declared_at(self._world, address) or self._statics.at(address)

    @cached_property
    def _statics(self) -> Statics:
        links = static_links(self._world)
        return Statics(self._world, links, lambda address: declared_at(self._world, address))


def static_links(world: World) -> Links:
    """The pointers from package-level memory to package-level memory."""
    links = Links(world.modules)
    for section in _sections(world, world.modules, Roots()):
        links.add(section.start, section.words, section.pointers)
    return links


class _Section(msgspec.Struct, frozen=True):
    """The words of a section from `start` on, and which of them are pointers."""

    start: int
    words: Words
    pointers: NDArray[np.bool_]
    name: str


def _sections(world: World, modules: Iterable[Module], roots: Roots) -> Iterator[_Section]:
    """Those of the data and bss of every module that the linker's masks tell of; `roots` lose what
    cannot be read."""
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
                roots.lose(f"the {section} section of the program: {error.why}")
                continue
            pointers = np.unpackbits(raw, bitorder="little")[:count] != 0
            yield _Section(start, words, pointers, module.name or section)


def declared_at(world: World, address: int) -> Named | None:
    """The package-level variable at an address, by debug information."""
    program, link = world.program, address - world.bias
    variable = None if program.stripped else program.debug.global_at(link)
    if variable is None:
        return None
    go_type = program.debug.types.at(variable.type)
    if not variable.address <= link < variable.address + go_type.size:
        return None
    low = variable.address + world.bias
    return Named(low, low + go_type.size, variable.name, go_type)


def _placed_at(world: World, address: int, module: str) -> Named:
    """What lies at an address by symbols, else by place."""
    program, link = world.program, address - world.bias
    symbol = program.elf.symbol_at(link)
    if symbol:
        low = symbol.address + world.bias
        return Named(low, low + symbol.size, symbol.name, None)
    return Named(address, address + _WORD, f"{module}+{link:#x}", None)
