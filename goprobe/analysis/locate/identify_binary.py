"""Addresses in the binary and in plugins: by their sections, functions and variables."""

from __future__ import annotations

from pathlib import PurePath

from goprobe.analysis.locate.identify_base import AddressSpace
from goprobe.counts import counted
from goprobe.model.location import Detail, Kind, Location

_MODULE_KINDS = {
    "text": Kind.TEXT, "rodata": Kind.RODATA, "noptrdata": Kind.DATA, "data": Kind.DATA,
    "bss": Kind.BSS, "noptrbss": Kind.BSS, "covctrs": Kind.BSS,
}  # fmt: skip


class InBinary:
    """The program's own executable."""

    def __init__(self, space: AddressSpace) -> None:
        self._space = space
        self._world = space.world

    def identify(self, address: int) -> Location | None:
        program, bias = self._world.program, self._world.bias
        if not self._space.in_own_image(address):
            return None
        link = address - bias
        stretch = program.stretches.at(link)
        if stretch is None:
            return None
        binary = PurePath(program.elf.shown_as).name
        kind = stretch.kind
        detail: Detail = {"section": stretch.name}
        evidence = f"{stretch.how} [{stretch.low + bias:#x}, {stretch.high + bias:#x})"
        symbol, facts = self._symbol(kind, link)
        if symbol:
            detail["function" if kind == Kind.TEXT else "symbol"] = symbol
        name = f"{symbol} in {stretch.name}" if symbol else f"{stretch.name} of {binary}"
        return self._space.location(kind, address, name, detail, *facts, evidence)

    def _symbol(self, kind: Kind, link: int) -> tuple[str, tuple[str, ...]]:
        program = self._world.program
        if kind == Kind.TEXT:
            name = program.function_name(link)
            return name, (f"function {name} covers it",) if name else ()
        variable = program.debug.global_at(link) if not program.stripped else None
        size = program.debug.types.at(variable.type).size if variable else 0
        symbol = program.elf.symbol_at(link)
        # A variable of no size shares its address with the next one, which is what lies there.
        if variable and variable.address <= link < variable.address + (size or not symbol):
            name = _with_offset(variable.name, link - variable.address)
            return name, (f"global variable {variable.name}, {counted(size, 'byte')}",)
        if symbol:
            name = _with_offset(symbol.name, link - symbol.address)
            return name, (f"symbol {symbol.name}, {counted(symbol.size, 'byte')}",)
        return "", ()


class InPlugin:
    """A plugin, by what the runtime says of its module."""

    def __init__(self, space: AddressSpace) -> None:
        self._space = space

    def identify(self, address: int) -> Location | None:
        module = self._space.images.plugin_at(address)
        if module is None:
            return None
        code = module.minpc <= address < module.maxpc
        section = "text" if code else module.section_of(address)
        detail: Detail = {"section": f".{section}", "plugin": module.plugin}
        where = f".{section} of plugin {module.plugin}"
        function = self._space.images.function_at(address) if code else ""
        if function:
            detail["function"] = function
        return self._space.location(
            _MODULE_KINDS[section],
            address,
            f"{function} in {where}" if function else where,
            detail,
            f"moduledata {module.address:#x} of plugin {module.plugin}",
        )


def _with_offset(name: str, offset: int) -> str:
    return f"{name}+{offset:#x}" if offset else name
