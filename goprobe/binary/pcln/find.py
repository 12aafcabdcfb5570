"""Finding the line table and the moduledata of a binary, by name or by what they are.

A stripped PIE that an external linker made has the table somewhere in .data.rel.ro, and a packer
may have dropped the section headers: then the header's magic is looked for in the segments.
moduledata is the one place that points at the table's header and at each of its parts in turn,
and whose minpc and maxpc agree with the table: nothing else matches (src/runtime/symtab.go,
moduledata and moduledataverify1; these first words are the same from Go 1.20 to 1.27).
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator
from itertools import chain

import msgspec
from msgspec.structs import replace

from goprobe.binary.elf.elf import SHF_COMPRESSED, SHT_NOBITS, ElfFile
from goprobe.binary.elf.image import Image
from goprobe.binary.pcln.format import (
    FUNCDATA_INL_TREE,
    FUNCDATA_LOCALS_POINTER_MAPS,
    HEADER_SIZE,
    MAGIC,
    PCDATA_INL_TREE_INDEX,
    Function,
    PcHeader,
    parse_header,
)
from goprobe.binary.pcln.table import LineTable, Reader
from goprobe.elfheaders import PT_LOAD, Segment
from goprobe.errors import NotGoError, UnreadableError

_SECTIONS = (".gopclntab", ".data.rel.ro.gopclntab")
# magic, two zeros, the size of the smallest instruction and of a pointer: as pcHeader begins
_START = struct.pack("<IBBBB", MAGIC, 0, 0, 1, 8)
_CANDIDATES_LIMIT = 4096
_PROBES = 24
_STACK_MAPS_LIMIT = 1 << 16

# Words of moduledata: [pcHeader, funcnametab x3, cutab x3, filetab x3, pctab x3, pclntable x3,
# ftab x3, findfunctab, minpc, maxpc, text, etext, ...]. gofunc comes straight behind rodata, but
# in different places: word 40 up to Go 1.26, word 43 in Go 1.27.
_HEAD_WORDS = 24
_MINPC, _MAXPC, _TEXT, _ETEXT = 20, 21, 22, 23  # words of moduledata
_GOFUNC_WORDS = range(36, 52)

Words = Callable[[int], int]
"""The pointer at an address, 0 where there is none."""


class ModuleHead(msgspec.Struct, frozen=True):
    """The first fields of a moduledata, as addresses. `gofunc` and `rodata` 0: not found."""

    address: int
    text: int
    etext: int
    minpc: int
    maxpc: int
    rodata: int = 0
    gofunc: int = 0


def module_head(words: Words, at: int, table: int, header: PcHeader) -> ModuleHead | None:
    """The moduledata at address `at` if it is that of the line table at address `table`."""
    parts = (0, header.names, header.units, header.file_names, header.pctab, header.functab)
    expected = dict(zip((0, 1, 4, 7, 10, 13), (table + p for p in parts), strict=True))
    expected |= {16: table + header.functab, 17: header.functions + 1}
    if any(words(at + 8 * word) != value for word, value in expected.items()):
        return None
    minpc, maxpc, text, etext = (words(at + 8 * w) for w in (_MINPC, _MAXPC, _TEXT, _ETEXT))
    if not text <= minpc < maxpc <= etext:
        return None
    return ModuleHead(at, text, etext, minpc, maxpc)


def find_gofunc(words: Words, head: ModuleHead, table: LineTable, read: Reader) -> ModuleHead:
    """Fill in `rodata` and `gofunc`: the one word for which the table's funcdata makes sense."""
    for word in _GOFUNC_WORDS:
        gofunc = words(head.address + 8 * word)
        if gofunc and _fits(table.with_funcdata(gofunc, 0, read)):
            rodata = words(head.address + 8 * (word - 1))
            return replace(head, gofunc=gofunc, rodata=rodata)
    return head


def _fits(table: LineTable) -> bool:
    """Whether stack maps and inline trees of some functions are what they must be."""
    seen = 0
    try:
        for function in _spread(table):
            for check in (_stack_map_fits, _inline_tree_fits):
                verdict = check(table, function)
                if verdict is False:
                    return False
                seen += verdict is True
    except UnreadableError:
        return False
    return seen > 0


def _spread(table: LineTable) -> Iterable[Function]:
    count = len(table)
    return (table.function(i) for i in range(0, count, max(1, count // _PROBES)))


def _stack_map_fits(table: LineTable, function: Function) -> bool | None:
    at = table.funcdata(function, FUNCDATA_LOCALS_POINTER_MAPS)
    if not at:
        return None
    count, bits = struct.unpack("<ii", table.read_funcdata(at, 8))
    return bool(0 < count <= _STACK_MAPS_LIMIT and 0 <= bits <= 1 << 24)


def _inline_tree_fits(table: LineTable, function: Function) -> bool | None:
    if not table.funcdata(function, FUNCDATA_INL_TREE):
        return None
    indices = [v for v in table.pcdata_runs(function, PCDATA_INL_TREE_INDEX).values if v >= 0]
    for index in indices[:4]:
        call = table.inlined_call(function, index)
        inside = 0 <= call.parent_pc < function.end - function.entry
        if not inside or call.start_line < 0 or not table.begins_name(call.name_offset):
            return False
    return True if indices else None


def _named(elf: ElfFile) -> Iterator[tuple[int, int, int]]:
    """(address, file offset, size) of sections called as Go's linker calls them."""
    for section in map(elf.section, _SECTIONS):
        if section and section.type != SHT_NOBITS and not section.flags & SHF_COMPRESSED:
            yield section.address, section.offset, section.size


def _searched(elf: ElfFile) -> Iterator[tuple[int, int, int]]:
    """Places in the segments that begin as a line table does."""
    for segment in elf.segments:
        if segment.type == PT_LOAD:
            yield from _in_segment(elf, segment)


def _in_segment(elf: ElfFile, segment: Segment) -> Iterator[tuple[int, int, int]]:
    end = segment.offset + segment.file_size
    at = segment.offset - 1
    for _ in range(_CANDIDATES_LIMIT):
        at = elf.find(_START, at + 1, end)
        if at < 0:
            return
        if at % 8 == segment.offset % 8:  # the linker aligns the table to words at least
            yield segment.address + at - segment.offset, at, end - at


def _open(elf: ElfFile, places: Iterable[tuple[int, int, int]]) -> LineTable | None:
    image = Image(elf)
    read = _file_reader(elf)
    fallback = None
    for address, offset, size in places:
        data = elf.view(offset, size)
        try:
            header = parse_header(data[:HEADER_SIZE] if size < HEADER_SIZE else data)
        except NotGoError:
            continue
        heads = (
            module_head(image.pointer, at, address, header) for at in image.pointers_to(address)
        )
        head = next((h for h in heads if h), None)
        if head:
            table = LineTable(data, head.text, address=address, budget=elf.budget)
            head = find_gofunc(image.pointer, head, table, read)
            return table.with_funcdata(head.gofunc, head.rodata, read)
        # No moduledata that fits: names and lines are told all the same, funcdata only by symbol.
        text = _text_start(elf, header)
        if text and not fallback:
            fallback = LineTable(data, text, address=address, budget=elf.budget)
            fallback = fallback.with_funcdata(_symbol(elf, "go:func.*"), 0, read)
    return fallback


def _file_reader(elf: ElfFile) -> Reader:
    def read(address: int, size: int) -> bytes:
        data = elf.read(address, size)
        if len(data) != size:
            raise UnreadableError(address, size, f"not in {elf.shown_as}")
        return data

    return read


def _symbol(elf: ElfFile, name: str) -> int:
    return next((s.address for s in elf.symbols if s.name == name), 0)


def _text_start(elf: ElfFile, header: PcHeader) -> int:
    """Without a moduledata: by symbol, by the header (before Go 1.26), else where .text begins."""
    section = elf.section(".text")
    return _symbol(elf, "runtime.text") or header.text or (section.address if section else 0)


def open_line_table(elf: ElfFile) -> LineTable:
    """The line table of a binary, at link-time addresses; works without symbols and DWARF.

    Raises NotGoError where the binary has none.
    """
    table = _open(elf, chain(_named(elf), _searched(elf)))
    if table is None:
        raise NotGoError(f"{elf.shown_as} has no Go line table that goprobe can read")
    return table


def find_module_head(elf: ElfFile) -> ModuleHead | None:
    """The moduledata of a binary on disk, at link-time addresses; None where it has none."""
    image = Image(elf)
    table = open_line_table(elf)
    heads = (
        module_head(image.pointer, at, table.address, table.header)
        for at in image.pointers_to(table.address)
    )
    head = next((h for h in heads if h), None)
    return head and replace(head, gofunc=table.gofunc, rodata=table.rodata)
