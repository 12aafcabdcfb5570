"""One pass over .debug_info: where each type, function, global and constant of the program is.

The pass reads only what stands at the top of each unit and skips the rest; its result is cached
on disk, so that a binary is walked once. Go names are unique per program; where C units of a cgo
program define the same name, Go's wins.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator

import msgspec

from goprobe.binary.dwarf.forms import (
    ADDRESS_INDEXES,
    FORM_ADDR,
    FORM_LINE_STRP,
    READ_REFERENCE,
    READ_STRING,
    READ_ULEB,
    REFERENCES,
    Abbrev,
    read_abbrevs,
    read_form,
    skip,
    uleb,
)
from goprobe.binary.elf.elf import ElfFile, name_at
from goprobe.budget import STEP
from goprobe.errors import NotGoError

# The DWARF 5 standard, sections 7.5.3 and 7.5.4.
AT_SIBLING, AT_LOCATION, AT_NAME, AT_BYTE_SIZE = 0x01, 0x02, 0x03, 0x0B
AT_STMT_LIST, AT_LOW_PC, AT_HIGH_PC, AT_LANGUAGE = 0x10, 0x11, 0x12, 0x13
AT_COMP_DIR, AT_CONST_VALUE, AT_INLINE = 0x1B, 0x1C, 0x20
AT_ABSTRACT_ORIGIN, AT_COUNT, AT_DATA_MEMBER_LOCATION, AT_DECL_FILE = 0x31, 0x37, 0x38, 0x3A
AT_DECL_LINE, AT_DECLARATION, AT_ENCODING, AT_EXTERNAL = 0x3B, 0x3C, 0x3E, 0x3F
AT_PRODUCER, AT_UPPER_BOUND, AT_TYPE, AT_RANGES = 0x25, 0x2F, 0x49, 0x55
AT_VARIABLE_PARAMETER, AT_CALL_FILE, AT_CALL_LINE = 0x4B, 0x58, 0x59
AT_STR_OFFSETS_BASE, AT_ADDR_BASE, AT_RNGLISTS_BASE, AT_LOCLISTS_BASE = 0x72, 0x73, 0x74, 0x8C
# Go's own: src/cmd/internal/dwarf/dwarf_defs.go, Go 1.21 to 1.27.
AT_GO_KIND, AT_GO_KEY, AT_GO_ELEM, AT_GO_EMBEDDED = 0x2900, 0x2901, 0x2902, 0x2903
AT_GO_RUNTIME_TYPE, AT_GO_PACKAGE_NAME, AT_GO_DICT_INDEX = 0x2904, 0x2905, 0x2906
AT_GO_CLOSURE_OFFSET = 0x2907
RELATIVE_HIGH_PC = -AT_HIGH_PC  # set where high_pc counts from low_pc

# DWARF 5, 7.5.3, table 7.3
TAG_ARRAY, TAG_ENUM, TAG_PARAMETER, TAG_LEXICAL_BLOCK, TAG_MEMBER = 0x01, 0x04, 0x05, 0x0B, 0x0D
TAG_POINTER, TAG_COMPILE_UNIT, TAG_STRUCT, TAG_SUBROUTINE_TYPE = 0x0F, 0x11, 0x13, 0x15
TAG_TYPEDEF, TAG_UNION, TAG_INLINED, TAG_SUBRANGE, TAG_BASE = 0x16, 0x17, 0x1D, 0x21, 0x24
TAG_CONSTANT, TAG_SUBPROGRAM, TAG_VARIABLE = 0x27, 0x2E, 0x34

TYPE_TAGS = {TAG_ARRAY, TAG_ENUM, TAG_POINTER, TAG_STRUCT, TAG_SUBROUTINE_TYPE, TAG_TYPEDEF,
             TAG_UNION, TAG_BASE}  # fmt: skip
_LANG_GO = 0x16  # DW_LANG_Go, DWARF 5, 7.12
_WORD = (1 << 64) - 1
_ATTRIBUTE, _RECORD = STEP // 2, 4 * STEP  # of the second: to keep it, too
_INDEXED = TYPE_TAGS | {TAG_CONSTANT, TAG_SUBPROGRAM, TAG_VARIABLE}
_OP_ADDR, _OP_ADDRX = 0x03, 0xA1  # DWARF 5, 7.7.1

Attributes = dict[int, "int | bytes | str"]


class Die(msgspec.Struct, frozen=True):
    """A debugging information entry, its attributes read."""

    offset: int
    tag: int
    attributes: Attributes
    children: int  # where its children start; 0 where it has none


class Unit(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """A compilation unit. Offsets are into .debug_info; `low_pc` is a link-time address."""

    offset: int
    end: int
    first_die: int
    version: int
    abbrev: int
    go: bool
    name: str
    low_pc: int
    addr_base: int
    rnglists_base: int
    loclists_base: int
    stmt_list: int
    comp_dir: str
    high_pc: int
    ranges: int
    """Where the list of its code's ranges is; -1 where that is [low_pc, high_pc)."""


class FunctionEntry(msgspec.Struct, frozen=True, array_like=True):
    """A function with code at link-time addresses [low, high)."""

    low: int
    high: int
    offset: int
    name: str


class GlobalEntry(msgspec.Struct, frozen=True, array_like=True):
    """A package-level variable at a link-time address."""

    address: int
    type: int
    name: str


class Index(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """What one pass over the debug information finds; offsets are into .debug_info."""

    units: list[Unit]
    types: dict[str, int]
    runtime_types: dict[int, int]
    functions: list[FunctionEntry]
    globals: list[GlobalEntry]
    constants: dict[str, int]
    abstract: dict[str, int]
    """Functions that were inlined somewhere: name to the offset of their abstract entry."""
    inlined: dict[int, list[int]]
    """Abstract entry to the entries of the functions that hold an inlined copy."""
    constant_types: dict[str, int]


def empty_index() -> Index:
    """That of no debug information. (No field has a default: a cache's must have them all.)"""
    return Index(
        units=[], types={}, runtime_types={}, functions=[], globals=[], constants={}, abstract={},
        inlined={}, constant_types={},
    )  # fmt: skip


class Sections:
    """The DWARF sections of one file, decompressed when first used."""

    def __init__(self, elf: ElfFile) -> None:
        self.elf = elf
        self.budget = elf.budget
        self._loaded: dict[str, bytes] = {}
        self._abbrevs: dict[int, dict[int, Abbrev]] = {}

    def get(self, name: str) -> bytes:
        if name not in self._loaded:
            self._loaded[name] = self.elf.debug_section(name)
        return self._loaded[name]

    def forget(self) -> None:
        """What was read: it is read again."""
        self._loaded.clear()
        self._abbrevs.clear()

    def abbrevs(self, offset: int) -> dict[int, Abbrev]:
        if offset not in self._abbrevs:
            self._abbrevs[offset] = read_abbrevs(self.get("abbrev"), offset, self.budget)
        return self._abbrevs[offset]

    def string(self, form: int, offset: int) -> str:
        text = name_at(self.get("line_str" if form == FORM_LINE_STRP else "str"), offset)
        self.budget.spend(len(text))
        return text.decode("utf-8", "replace")

    def indexed_address(self, addr_base: int, index: int) -> int:
        at = addr_base + 8 * index
        return int.from_bytes(self.get("addr")[at : at + 8], "little")

    def bounds(self, addr_base: int, attributes: Attributes) -> tuple[int, int]:
        """[low_pc, high_pc) of a DIE, (0, 0) where it has none; `addr_base` is its unit's."""
        low, high = integer(attributes, AT_LOW_PC), integer(attributes, AT_HIGH_PC)
        if low < 0:
            low = self.indexed_address(addr_base, -1 - low)
        return low, high + low & _WORD if RELATIVE_HIGH_PC in attributes else high

    def attributes(self, abbrev: Abbrev, at: int, unit_offset: int) -> tuple[Attributes, int]:
        """A DIE's attributes, references made absolute, and where they end."""
        info = self.get("info")
        self.budget.spend(_ATTRIBUTE * len(abbrev.attributes))
        attributes: Attributes = {}
        value: int | bytes | str
        for i, (kind, name, width) in enumerate(abbrev.reading):
            if kind == READ_STRING:
                end = info.index(0, at)
                value, at = info[at:end].decode("utf-8", "replace"), end + 1
            elif kind == READ_ULEB and info[at] < 0x80:
                value, at = info[at], at + 1
            elif width:
                value = int.from_bytes(info[at : at + width], "little")
                value = value + unit_offset & _WORD if kind == READ_REFERENCE else value
                at += width
            else:
                value, at = self._attribute(abbrev.attributes[i], at, unit_offset, attributes)
            attributes[name] = value
        return attributes, at

    def _attribute(
        self, wanted: tuple[int, int, int], at: int, unit_offset: int, beside: Attributes
    ) -> tuple[int | bytes | str, int]:
        """One of those that are read in no simpler way; what it tells `beside` itself is added."""
        name, form, constant = wanted
        value, at = read_form(self.get("info"), at, form, constant, self.string)
        if form in REFERENCES and isinstance(value, int):
            value = value + unit_offset & _WORD
        elif form in ADDRESS_INDEXES and isinstance(value, int):
            value = -1 - value  # an index: the unit's addr_base is needed to resolve it
        elif name == AT_HIGH_PC and form != FORM_ADDR:
            beside[RELATIVE_HIGH_PC] = 1
        return value, at


def integer(attributes: Attributes, name: int, default: int = 0) -> int:
    value = attributes.get(name, default)
    return value if isinstance(value, int) else default


def text(attributes: Attributes, name: int) -> str:
    value = attributes.get(name, "")
    return value if isinstance(value, str) else ""


def build_index(elf: ElfFile) -> Index:
    """Walks all of .debug_info. Raises NotGoError where it is corrupt."""
    try:
        return _Indexer(Sections(elf)).run()
    except (IndexError, KeyError, ValueError) as error:
        raise corrupt(elf, error) from None


def read_units(elf: ElfFile) -> list[Unit]:
    """The units alone, as their own entries have them. Raises as `build_index`."""
    try:
        return list(_units(Sections(elf)))
    except (IndexError, KeyError, ValueError) as error:
        raise corrupt(elf, error) from None


def corrupt(elf: ElfFile, error: Exception) -> NotGoError:
    return NotGoError(f"{elf.shown_as}: its debug information is corrupt ({error})")


def _units(sections: Sections) -> Iterator[Unit]:
    at, size = 0, len(sections.get("info"))
    while at + 11 <= size:
        unit = _unit(sections, at)
        if unit.version in (2, 3, 4, 5):
            yield unit
        at = unit.end


def _unit(sections: Sections, at: int) -> Unit:
    info = sections.get("info")
    length = int.from_bytes(info[at : at + 4], "little")
    if length >= 0xFFFFFFF0 or at + 4 + length > len(info):
        raise ValueError("a unit's length is out of range")
    version = int.from_bytes(info[at + 4 : at + 6], "little")
    if version >= 5:
        kind = info[at + 6]
        abbrev = int.from_bytes(info[at + 8 : at + 12], "little")
        first = at + (12 if kind in (1, 3) else 20)
    else:
        abbrev, first = int.from_bytes(info[at + 6 : at + 10], "little"), at + 11
    own: Attributes = {}
    if version in (2, 3, 4, 5):
        code, after = uleb(info, first)
        own, _ = sections.attributes(sections.abbrevs(abbrev)[code], after, at)
    addr_base = integer(own, AT_ADDR_BASE)
    low, high = sections.bounds(addr_base, own)
    return Unit(
        offset=at,
        end=at + 4 + length,
        first_die=first,
        version=version,
        abbrev=abbrev,
        go=integer(own, AT_LANGUAGE) == _LANG_GO,
        name=text(own, AT_NAME),
        low_pc=low,
        addr_base=addr_base,
        rnglists_base=integer(own, AT_RNGLISTS_BASE),
        loclists_base=integer(own, AT_LOCLISTS_BASE),
        stmt_list=integer(own, AT_STMT_LIST, -1),
        comp_dir=text(own, AT_COMP_DIR),
        high_pc=high,
        ranges=integer(own, AT_RANGES, -1),
    )


class _Indexer:
    def __init__(self, sections: Sections) -> None:
        self.sections = sections
        self.info = sections.get("info")
        self.index = empty_index()
        self.function = 0  # the entry of the function being walked

    def run(self) -> Index:
        self.index.units.extend(_units(self.sections))
        for unit in self.index.units:
            self.sections.budget.spend(unit.end - unit.offset)
            self._walk(unit)
        self.index.functions.sort(key=lambda f: f.low)
        self.index.globals.sort(key=lambda g: g.address)
        return self.index

    def _walk(self, unit: Unit) -> None:
        info, table = self.info, self.sections.abbrevs(unit.abbrev)
        at, end, depth = unit.first_die, unit.end, 0
        while at < end:
            offset = at
            code = info[at]
            at += 1
            if code >= 0x80:
                code, at = uleb(info, offset)
            if not code:
                depth -= 1
                if depth <= 0:
                    return
                continue
            abbrev = table[code]
            if depth == 1 and abbrev.tag in _INDEXED:
                attributes, at = self.sections.attributes(abbrev, at, unit.offset)
                self._record(unit, offset, abbrev.tag, attributes)
            else:
                if abbrev.tag == TAG_INLINED:
                    self._record_inlined(abbrev, at, unit.offset)
                at = skip(info, at, abbrev.plan)
            depth += abbrev.children

    def _record(self, unit: Unit, offset: int, tag: int, attributes: Attributes) -> None:
        self.sections.budget.spend(_RECORD)
        name = text(attributes, AT_NAME)
        if tag in TYPE_TAGS:
            if name and not (attributes.get(AT_DECLARATION)):
                if unit.go:
                    self._record_type(offset, tag, name, attributes)
                else:
                    self.index.types.setdefault(f"C.{name}", offset)
        elif tag == TAG_SUBPROGRAM:
            self._record_function(unit, offset, name, attributes)
        elif tag == TAG_CONSTANT:
            self.index.constants[name] = integer(attributes, AT_CONST_VALUE)
            self.index.constant_types[name] = integer(attributes, AT_TYPE)
        else:
            address = self._static_address(unit, attributes.get(AT_LOCATION))
            if address and name:
                self.index.globals.append(GlobalEntry(address, integer(attributes, AT_TYPE), name))

    def _record_type(self, offset: int, tag: int, name: str, attributes: Attributes) -> None:
        # A named struct appears twice: the struct itself (with go_kind) and a typedef for C's
        # sake. The first, with the kind, is the one wanted.
        if AT_GO_KIND in attributes or name not in self.index.types:
            self.index.types[name] = offset
        runtime_type = integer(attributes, AT_GO_RUNTIME_TYPE)
        if runtime_type:
            self.index.runtime_types.setdefault(runtime_type, offset)

    def _record_function(self, unit: Unit, offset: int, name: str, attributes: Attributes) -> None:
        low, high = self.sections.bounds(unit.addr_base, attributes)
        self.function = offset
        if high <= low:
            if name and AT_INLINE in attributes:
                self.index.abstract[name] = offset
            return
        if not name:
            name = self._origin_name(unit, integer(attributes, AT_ABSTRACT_ORIGIN))
        self.index.functions.append(FunctionEntry(low, high, offset, name))

    def _record_inlined(self, abbrev: Abbrev, at: int, unit_offset: int) -> None:
        """A call that was inlined: Go tells its origin first, and nothing else is wanted."""
        kind, name, width = abbrev.reading[0] if abbrev.reading else (0, 0, 0)
        if name == AT_ABSTRACT_ORIGIN and width:
            origin = int.from_bytes(self.info[at : at + width], "little")
            origin += unit_offset if kind == READ_REFERENCE else 0
        else:
            attributes, _ = self.sections.attributes(abbrev, at, unit_offset)
            origin = integer(attributes, AT_ABSTRACT_ORIGIN)
        holders = self.index.inlined.setdefault(origin, [])
        if not holders or holders[-1] != self.function:
            holders.append(self.function)

    def _origin_name(self, unit: Unit, offset: int) -> str:
        owner = unit
        if not unit.offset <= offset < unit.end:
            units = self.index.units
            at = bisect_right(units, offset, key=lambda u: u.offset)
            if not at or offset >= units[at - 1].end:
                raise ValueError("an abstract origin outside every unit")
            owner = units[at - 1]
        code, at = uleb(self.info, offset)
        abbrev = self.sections.abbrevs(owner.abbrev)[code]
        return text(self.sections.attributes(abbrev, at, owner.offset)[0], AT_NAME)

    def _static_address(self, unit: Unit, location: int | bytes | str | None) -> int:
        if isinstance(location, bytes) and location:
            if location[0] == _OP_ADDR and len(location) == 9:
                return int.from_bytes(location[1:9], "little")
            if location[0] == _OP_ADDRX:
                return self.sections.indexed_address(unit.addr_base, uleb(location, 1)[0])
        return 0
