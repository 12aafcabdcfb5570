"""Where Go's functions, types and variables are described, by their names: a part of what an
`Index` holds, for who needs no more, in a sixth of the time.

An entry says nowhere how long it is. So what the abbreviations say of their attributes is made an
expression, which passes over all entries of which nothing is wanted (variables of functions, their
parameters, members of structs) in one go. Go's compiler gives functions, types and variables of
packages abbreviations of their own (`abbrevs`, cmd/internal/dwarf/dwarf.go, Go 1.21 to 1.27), so
that what is nested is told from what stands at the top by that alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from enum import Enum

import msgspec

from goprobe.binary.dwarf.dieindex import (
    AT_ABSTRACT_ORIGIN,
    AT_EXTERNAL,
    AT_GO_DICT_INDEX,
    AT_GO_KIND,
    AT_LOW_PC,
    AT_NAME,
    AT_TYPE,
    TAG_SUBPROGRAM,
    TAG_VARIABLE,
    TYPE_TAGS,
    Index,
    Sections,
    Unit,
    corrupt,
    integer,
    text,
)
from goprobe.binary.dwarf.forms import (
    FORM_REF_ADDR,
    FORM_STRING,
    SKIP_BLOCK,
    SKIP_BLOCK1,
    SKIP_STRING,
    SKIP_ULEB,
    Abbrev,
    skip,
    uleb,
)

_BEGINNINGS = (AT_NAME, FORM_STRING), (AT_ABSTRACT_ORIGIN, FORM_REF_ADDR)
_REFERENCE = 4  # bytes
_ONE_BYTE = 0x80  # below it a LEB128 number is that byte
# A place in the frame, none, an address, a register: what is longer is read by itself.
_BLOCK = b"(?:%s)" % b"|".join(b"\\x%02x.{%d}" % (size, size) for size in (2, 0, 3, 1, 4, 5, 9))
_STEPS = {
    SKIP_STRING: rb"[^\0]*+\0",
    SKIP_ULEB: rb"[\x80-\xff]*+[\0-\x7f]",
    SKIP_BLOCK: _BLOCK,
    SKIP_BLOCK1: _BLOCK,
}


class _Kind(Enum):
    """What is wanted: a function with code, its name there or where another entry is, one that was
    inlined, a package's variable, a type, or, for C's sake, another name of one."""

    COMPILED = "compiled"
    NAMELESS = "nameless"
    INLINED = "inlined"
    VARIABLE = "variable"
    TYPE = "type"
    TYPEDEF = "typedef"


class Names(msgspec.Struct, frozen=True):
    """Offsets into .debug_info: of functions with code, of those that were inlined somewhere, of
    types. Of variables of packages the offsets of their types."""

    compiled: dict[str, int] = {}
    inlined: dict[str, int] = {}
    types: dict[str, int] = {}
    variables: dict[str, int] = {}


def names_of_index(index: Index) -> Names:
    compiled = {f.name: f.offset for f in index.functions}
    variables = {g.name: g.type for g in index.globals}
    return Names(compiled, index.abstract, index.types, variables)


def read_by_names(sections: Sections, units: Iterable[Unit]) -> bool:
    """Whether all is as Go writes it."""
    units = tuple(units)
    tables = (sections.abbrevs(table) for table in {unit.abbrev for unit in units})
    return all(unit.go for unit in units) and all(
        abbrev.attributes and abbrev.attributes[0][:2] in _BEGINNINGS
        for table in tables
        for abbrev in table.values()
        if _kind(abbrev)
    )


def names_of_units(sections: Sections, units: Iterable[Unit]) -> Names:
    """Of Go's units alone. Raises NotGoError where they are corrupt."""
    reader = _Reader(sections)
    try:
        for unit in units:
            sections.budget.spend(unit.end - unit.offset)
            reader.read(unit)
    except (IndexError, KeyError, ValueError) as error:
        raise corrupt(sections.elf, error) from None
    return reader.names


class _Table(msgspec.Struct, frozen=True):
    """How one table's entries are read: those passed over and one that is wanted, and by its code
    what that is."""

    pattern: re.Pattern[bytes]
    wanted: dict[int, _Kind]


class _Reader:
    def __init__(self, sections: Sections) -> None:
        self._sections, self._info = sections, sections.get("info")
        self._tables: dict[int, _Table] = {}
        self._units: list[Unit] = []
        self.names = Names()

    def read(self, unit: Unit) -> None:
        self._units.append(unit)
        info, table, names = self._info, self._sections.abbrevs(unit.abbrev), self.names
        if unit.abbrev not in self._tables:
            self._tables[unit.abbrev] = _read(table)
        match, kinds = self._tables[unit.abbrev].pattern.match, self._tables[unit.abbrev].wanted
        at, end = unit.first_die, unit.end
        while at < end:
            matched = match(info, at, end)
            offset = matched.end(1) if matched else at
            if offset >= end:
                return
            code, begin = uleb(info, offset)
            kind = kinds.get(code)
            if kind is _Kind.COMPILED or kind is _Kind.NAMELESS:
                self._take_compiled(offset, begin, named=kind is _Kind.COMPILED)
            elif kind is _Kind.VARIABLE:
                own, _ = self._sections.attributes(table[code], begin, unit.offset)
                names.variables[text(own, AT_NAME)] = integer(own, AT_TYPE)
            elif kind is _Kind.INLINED:
                names.inlined[self._name(begin)] = offset
            elif kind is _Kind.TYPE:
                names.types[self._name(begin)] = offset
            elif kind is _Kind.TYPEDEF:
                names.types.setdefault(self._name(begin), offset)
            at = matched.end() if matched else offset
            if at == offset:
                at = skip(info, begin, table[code].plan if code else ())

    def _take_compiled(self, offset: int, at: int, *, named: bool) -> None:
        """Of several of one name, as of assembly and what wraps it, the last one."""
        name = self._name(at if named else self._origin(at))
        compiled = self.names.compiled
        known = compiled.get(name)
        if known is None or self._low(offset) > self._low(known):
            compiled[name] = offset

    def _origin(self, at: int) -> int:
        """Where the attributes begin of the entry that one refers to."""
        return uleb(self._info, int.from_bytes(self._info[at : at + _REFERENCE], "little"))[1]

    def _low(self, offset: int) -> int:
        unit = next(u for u in self._units if u.offset <= offset < u.end)
        code, at = uleb(self._info, offset)
        abbrev = self._sections.abbrevs(unit.abbrev)[code]
        own, _ = self._sections.attributes(abbrev, at, unit.offset)
        return self._sections.bounds(unit.addr_base, own)[0]

    def _name(self, at: int) -> str:
        """Go has it first, as it is."""
        return self._info[at : self._info.index(0, at)].decode("utf-8", "replace")


def _kind(abbrev: Abbrev) -> _Kind | None:
    told = {name for name, _, _ in abbrev.attributes}
    if abbrev.tag == TAG_SUBPROGRAM:
        if AT_LOW_PC not in told:
            return _Kind.INLINED
        return _Kind.NAMELESS if AT_ABSTRACT_ORIGIN in told else _Kind.COMPILED
    if abbrev.tag == TAG_VARIABLE and AT_EXTERNAL in told:
        return _Kind.VARIABLE
    if abbrev.tag in TYPE_TAGS and AT_GO_DICT_INDEX not in told:  # that stands in a function
        return _Kind.TYPE if AT_GO_KIND in told else _Kind.TYPEDEF
    return None


def _read(table: Mapping[int, Abbrev]) -> _Table:
    wanted: list[bytes] = []
    others: list[bytes] = [rb"\0"]
    for code, abbrev in table.items():
        if code < _ONE_BYTE and all(step >= 0 or step in _STEPS for step in abbrev.plan):
            steps = (b".{%d}" % step if step >= 0 else _STEPS[step] for step in abbrev.plan)
            entry = b"\\x%02x" % code + b"".join(steps)
            (wanted if _kind(abbrev) else others).append(entry)
    entries = b"(?:%s)*+()(?:%s)?+" % (b"|".join(others), b"|".join(wanted) or b"(?!)")
    kinds = {code: kind for code, abbrev in table.items() if (kind := _kind(abbrev))}
    return _Table(re.compile(entries, re.DOTALL), kinds)
