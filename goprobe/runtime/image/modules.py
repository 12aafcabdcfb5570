"""The modules of a Go process: the program itself, and every plugin that it loaded.

Each has a moduledata that says where its text, data and types lie; they hang on one list.
Source: src/runtime/symtab.go (moduledata), Go 1.21 to 1.27. Addresses are the process's own.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from goprobe.binary.pcln.table import LineTable
from goprobe.errors import UnreadableError
from goprobe.process.memory.memory import Memory
from goprobe.runtime.layout.layout import Layout
from goprobe.runtime.layout.record import Record, read_record

_MODULES_LIMIT = 1 << 12
_TEXT_LIMIT = 1 << 12
_TABLE_LIMIT = 1 << 31

_SPANS = {
    "text": ("text", "etext"),
    "rodata": ("rodata", "etypes"),
    "noptrdata": ("noptrdata", "enoptrdata"),
    "data": ("data", "edata"),
    "bss": ("bss", "ebss"),
    "noptrbss": ("noptrbss", "enoptrbss"),
    "covctrs": ("covctrs", "ecovctrs"),
}


class Module(msgspec.Struct, frozen=True):
    """One moduledata, decoded. `record` has every declared field for what is not named here.

    `name` is the linker's module name ("" for the program), `plugin` the plugin's path ("" where
    it is none). `bad`: it failed to load, and the runtime ignores it.
    """

    address: int
    name: str
    plugin: str
    bad: bool
    minpc: int
    maxpc: int
    record: Record

    def __getitem__(self, field: str) -> int:
        return self.record[field]

    def span(self, section: str) -> tuple[int, int]:
        """[low, high) of "text", "data", "bss", "noptrdata", "noptrbss", "rodata" (types)."""
        low, high = _SPANS[section]
        return self.record[low], self.record[high]

    def section_of(self, address: int) -> str:
        """Which of its sections holds an address ("data", …), "" where none does."""
        for section in _SPANS:
            low, high = self.span(section)
            if low <= address < high:
                return section
        return ""

    @property
    def pointers(self) -> dict[str, tuple[int, int]]:
        """Of "data" and "bss": address and number of bits of the bitmap of their pointer words."""
        return {
            "data": (self.record["gcdatamask.bytedata"], self.record["gcdatamask.n"]),
            "bss": (self.record["gcbssmask.bytedata"], self.record["gcbssmask.n"]),
        }

    @property
    def table_span(self) -> tuple[int, int]:
        """[low, high) of the module's line table. Since Go 1.26 moduledata says its end."""
        low = self.record["pcHeader"]
        parts_end = self.record["pclntable"] + self.record.word("pclntable", 1)
        return low, max(parts_end, self.record.get("epclntab"))


class Modules(msgspec.Struct, frozen=True):
    """All modules in the runtime's order. `broken` says why the list could not be followed to
    its end, "" where it could."""

    all: tuple[Module, ...]
    broken: str = ""

    def __iter__(self) -> Iterator[Module]:
        return iter(self.all)

    def __len__(self) -> int:
        return len(self.all)

    @property
    def first(self) -> Module:
        return self.all[0]

    def of_code(self, pc: int) -> Module | None:
        """The module whose Go code holds `pc` (src/runtime/symtab.go, findmoduledatap)."""
        return next((m for m in self.all if m.minpc <= pc < m.maxpc), None)

    def of_data(self, address: int) -> Module | None:
        """The module that has `address` in one of its sections."""
        return next((m for m in self.all if m.section_of(address)), None)


def read_modules(memory: Memory, layout: Layout, first: int) -> Modules:
    """The list that begins with the moduledata at `first` (runtime.firstmoduledata).

    Raises UnreadableError where not even the first can be read.
    """
    # The list only grows: a plugin is linked in behind the last and never taken out again
    # (addmoduledata, runtime/asm_amd64.s).
    struct = layout.struct("moduledata")
    modules: list[Module] = []
    seen: set[int] = set()
    at = first
    while at:
        if at in seen or len(modules) >= _MODULES_LIMIT:
            return Modules(tuple(modules), f"the list of modules comes back to {at:#x}")
        seen.add(at)
        try:
            modules.append(_decode(memory, read_record(memory, struct, at)))
        except UnreadableError as error:
            if not modules:
                raise
            return Modules(tuple(modules), f"a moduledata cannot be read: {error}")
        at = modules[-1]["next"]
    return Modules(tuple(modules))


def _decode(memory: Memory, record: Record) -> Module:
    return Module(
        address=record.address,
        name=_text(memory, record, "modulename"),
        plugin=_text(memory, record, "pluginpath"),
        bad=bool(record["bad"]),
        minpc=record["minpc"],
        maxpc=record["maxpc"],
        record=record,
    )


def _text(memory: Memory, record: Record, field: str) -> str:
    at, size = record[field], record.word(field, 1)
    if not at or not 0 < size <= _TEXT_LIMIT:
        return ""
    try:
        return memory.read(at, size).decode("utf-8", "replace")
    except UnreadableError:
        return ""


def line_table_of(memory: Memory, module: Module) -> LineTable:
    """The module's line table out of memory, for a plugin or a binary that is no longer there.

    Raises UnreadableError or NotGoError where it is not one.
    """
    low, high = module.table_span
    if not 0 <= high - low <= _TABLE_LIMIT:
        raise UnreadableError(low, 0, "the line table has no sensible size")
    return LineTable(
        memory.read(low, high - low),
        module["text"],
        gofunc=module["gofunc"],
        rodata=module["rodata"],
        address=low,
        read=memory.read,
    )
