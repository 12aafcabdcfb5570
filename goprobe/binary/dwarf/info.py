"""The debug information of a Go binary: types, globals, constants, functions and their variables.

Everything is looked up lazily behind an index made in one pass (`dwarfindex`). Addresses are
link-time addresses. Go writes DWARF 4 up to 1.24 and DWARF 5 from 1.25 on; C units of cgo programs
come in either.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from functools import cached_property, lru_cache

import msgspec

from goprobe.binary.cache import cached, room_of
from goprobe.binary.dwarf import dieindex as ix, forms
from goprobe.binary.dwarf.dieindex import Die, FunctionEntry, Sections, Unit, integer, text
from goprobe.binary.dwarf.forms import skip, uleb
from goprobe.binary.dwarf.gotypes import GoType, TypeReader
from goprobe.binary.dwarf.loclist import LocationEntry, location_list, range_list
from goprobe.binary.dwarf.names import Names, names_of_index, names_of_units, read_by_names
from goprobe.binary.dwarf.runtimeentries import RuntimeEntries
from goprobe.binary.dwarf.units import Units
from goprobe.binary.elf.elf import ElfFile
from goprobe.binary.elf.parts import FileParts, debug_parts
from goprobe.errors import NotGoError

_DICTIONARY_LIMIT = 1 << 16
_DEPTH_LIMIT = 256
_KEPT = 1 << 12
_UNITS_ASKED = 1 << 12
_INDEX_ROOM = room_of("dwarf", ix.__file__, forms.__file__)


class Local(msgspec.Struct, frozen=True, kw_only=True):
    """A variable or parameter of one function.

    `locations` say where it lies at which pcs; an entry for all pcs has low 0 and high 2**64.
    Empty: the compiler left it out. `closure_offset` is its place in the closure object, where
    it is captured (-1: it is not), since Go 1.23. `block` counts the blocks around it within the
    function: 0 for those of its outermost, parameters and captured ones among them. `type` of a
    generic function's is that of its shape where `dictionary_index` is not -1: the number of the
    word of the dictionary that tells the true one.
    """

    name: str
    type: int
    line: int
    parameter: bool
    result: bool
    locations: tuple[LocationEntry, ...]
    closure_offset: int
    block: int = 0
    dictionary_index: int = -1


class FunctionScope(msgspec.Struct, frozen=True):
    """A function's body, or one inlined into it, as far as it covers one pc.

    `blocks` are its variables in scope there, outermost block first; `call_line` the line of the
    call that was inlined (0 for the function itself).
    """

    function: str
    call_line: int
    locals: tuple[Local, ...]


class DebugInfo:
    """Looks things up in a binary's debug information. Raises KeyError for unknown names."""

    def __init__(self, elf: ElfFile) -> None:
        self.elf = elf
        self._sections = Sections(elf)
        self._ends: dict[int, int] = {}
        # Thousands of goroutines stand in the same functions, at the same few places.
        self.locals_at = lru_cache(maxsize=_KEPT)(self._read_locals)
        self._scopes_at = lru_cache(maxsize=_KEPT)(self._read_scopes)
        self._producer = lru_cache(maxsize=_KEPT)(self._read_producer)

    @property
    def present(self) -> bool:
        """Whether the binary carries any debug information that can be read here."""
        section = self.elf.section(".debug_info") or self.elf.section(".zdebug_info")
        return bool(section and not self.elf.undecoded)

    @cached_property
    def index(self) -> ix.Index:
        if not self.present:
            return ix.empty_index()
        return cached(_INDEX_ROOM, self.source, ix.Index, lambda: ix.build_index(self.elf))

    @cached_property
    def names(self) -> Names:
        """A part of the index, which is not made for it."""
        units = self.units.all
        if "index" in self.__dict__ or not read_by_names(self._sections, units):
            return names_of_index(self.index)
        return names_of_units(self._sections, units)

    @cached_property
    def units(self) -> Units:
        """Its compilation units, read by themselves where nobody has asked for the index."""
        indexed = "index" in self.__dict__ or not self.present
        return Units(self._sections, self.index.units if indexed else ix.read_units(self.elf))

    @cached_property
    def source(self) -> FileParts:
        """The bytes that all this is learnt from."""
        return debug_parts(self.elf)

    @cached_property
    def types(self) -> TypeReader:
        return TypeReader(self.die, self.children, lambda: self.source, self._sections.forget)

    def type_named(self, name: str) -> GoType:
        return self.types.at(self.index.types[name])

    @cached_property
    def _runtime(self) -> RuntimeEntries | None:
        """For what is asked before anybody needs the index."""
        if "index" in self.__dict__ or not self.present:
            return None
        entries = RuntimeEntries(self._sections, self.units.all)
        return entries if entries.complete else None

    def runtime_type(self, name: str) -> GoType | None:
        """A type of Go's runtime, None where there is none of that name."""
        known = None if "names" in self.__dict__ else self._runtime
        offset = known.type(name) if known else self.names.types.get(name, 0)
        return self.types.at(offset) if offset else None

    def runtime_constant(self, name: str) -> int | None:
        known = self._runtime
        return known.constant(name) if known else self.index.constants.get(name)

    @cached_property
    def globals(self) -> dict[str, ix.GlobalEntry]:
        return {g.name: g for g in self.index.globals}

    @cached_property
    def _global_starts(self) -> list[int]:
        return [g.address for g in self.index.globals]

    def global_at(self, address: int) -> ix.GlobalEntry | None:
        """The variable that starts at or last before a link-time address."""
        at = bisect_right(self._global_starts, address)
        return self.index.globals[at - 1] if at else None

    @cached_property
    def _function_starts(self) -> list[int]:
        return [f.low for f in self.index.functions]

    @cached_property
    def functions(self) -> dict[str, FunctionEntry]:
        return {f.name: f for f in self.index.functions}

    def function_at(self, pc: int) -> FunctionEntry | None:
        at = bisect_right(self._function_starts, pc)
        if at and pc < self.index.functions[at - 1].high:
            return self.index.functions[at - 1]
        return None

    # Entries of .debug_info

    def unit_at(self, offset: int) -> Unit:
        return self.units.at(offset)

    def die(self, offset: int) -> Die:
        """Raises NotGoError where there is no entry at `offset`."""
        die, _ = self._read(self.unit_at(offset), offset)
        if die is None:
            raise NotGoError(f"{self.elf.shown_as}: its debug information is corrupt")
        return die

    def _read(self, unit: Unit, offset: int) -> tuple[Die | None, int]:
        try:
            code, at = uleb(self._sections.get("info"), offset)
            if not code:
                return None, at
            abbrev = self._sections.abbrevs(unit.abbrev)[code]
            attributes, at = self._sections.attributes(abbrev, at, unit.offset)
        except (IndexError, KeyError, ValueError):
            raise NotGoError(f"{self.elf.shown_as}: its debug information is corrupt") from None
        return Die(offset, abbrev.tag, attributes, at if abbrev.children else 0), at

    def children(self, die: Die) -> Iterator[Die]:
        """The direct children of an entry."""
        if not die.children:
            return
        unit, at = self.unit_at(die.offset), die.children
        while at < unit.end:
            child, at = self._read(unit, at)
            if child is None:
                return
            yield child
            if child.children:
                at = self._after_children(unit, at)

    def _after_children(self, unit: Unit, at: int) -> int:
        """Where the children that begin at `at` end. What was passed over once, and all within it,
        is known from then on: blocks in blocks are looked into one by one."""
        if at not in self._ends:
            try:
                self._pass_over(unit, at)
            except (IndexError, KeyError, ValueError):
                raise NotGoError(f"{self.elf.shown_as}: its debug information is corrupt") from None
        return self._ends[at]

    def _pass_over(self, unit: Unit, at: int) -> None:
        info, table = self._sections.get("info"), self._sections.abbrevs(unit.abbrev)
        start, open_ = at, [at]
        while open_ and at < unit.end:
            code, at = uleb(info, at)
            if not code:
                self._ends[open_.pop()] = at
                continue
            at = skip(info, at, table[code].plan)
            if table[code].children:
                open_.append(at)
        for begin in open_:  # the unit's end is theirs
            self._ends[begin] = at
        self.elf.budget.spend(at - start)

    # Functions and their variables

    def parameters(self, function: FunctionEntry) -> tuple[Local, ...]:
        """Parameters and results in the order of the signature (receiver first)."""
        unit = self.unit_at(function.offset)
        parameters = [
            self._local(unit, d)
            for d in self.children(self.die(function.offset))
            if d.tag == ix.TAG_PARAMETER
        ]
        return tuple(parameters)

    def parameter_names(self, offset: int) -> tuple[str, ...]:
        """The parameters of the function whose entry is at `offset`, results left out."""
        unit = self.unit_at(offset)
        parameters = (
            self._local(unit, d)
            for d in self.children(self.die(offset))
            if d.tag == ix.TAG_PARAMETER
        )
        return tuple(p.name for p in parameters if not p.result)

    def declared_line(self, offset: int) -> int:
        """The line at which the function whose entry is at `offset` is declared."""
        return integer(self.die(offset).attributes, ix.AT_DECL_LINE)

    def locals(self, function: FunctionEntry) -> tuple[Local, ...]:
        """Every variable of a function's own blocks, inlined calls left out."""
        return self.locals_at(function.offset)

    def _read_locals(self, offset: int) -> tuple[Local, ...]:
        """The same of a function whose entry, or abstract entry, is at `offset`."""
        return tuple(self._all_locals(self.die(offset), 0))

    def _all_locals(self, die: Die, depth: int) -> Iterator[Local]:
        unit = self.unit_at(die.offset)
        for child in self.children(die):
            if child.tag in (ix.TAG_VARIABLE, ix.TAG_PARAMETER):
                yield self._local(unit, child)
            elif child.tag == ix.TAG_LEXICAL_BLOCK and depth < _DEPTH_LIMIT:
                yield from self._all_locals(child, depth + 1)

    def is_optimised(self, function: FunctionEntry) -> bool:
        """Whether a function was compiled with the optimiser on: a unit's producer ends in the
        compiler's flags (cmd/link/internal/ld/dwarf.go, Go 1.21 to 1.27)."""
        return self.unit_is_optimised(self.unit_at(function.offset))

    def unit_is_optimised(self, unit: Unit) -> bool:
        return "-N" not in self._producer(unit.first_die).partition(";")[2].split()

    @property
    def producer(self) -> str:
        """The Go compiler's name ("Go cmd/compile go1.27.3; regabi"); "" where none is named."""
        names = (self._producer(unit.first_die) for unit in self.units.all[:_UNITS_ASKED])
        return next((name for name in names if name.startswith("Go ")), "")

    def _read_producer(self, first: int) -> str:
        return text(self.die(first).attributes, ix.AT_PRODUCER)

    def scopes(self, function: FunctionEntry, pc: int) -> tuple[FunctionScope, ...]:
        """The function and the calls inlined into it that cover `pc`, innermost first."""
        return self._scopes_at(function.offset, function.name, pc)

    def _read_scopes(self, offset: int, function: str, pc: int) -> tuple[FunctionScope, ...]:
        die = self.die(offset)
        scopes: list[FunctionScope] = []
        self._scope(die, self._name(die) or function, 0, pc, scopes, 0)
        return tuple(reversed(scopes))

    def inlined_ranges(self, name: str) -> Iterator[tuple[FunctionEntry, list[tuple[int, int]]]]:
        """Each inlined copy of a function: the function that holds it, and the copy's ranges."""
        origin = self.index.abstract.get(name, 0)
        by_offset = {f.offset: f for f in self.index.functions} if origin else {}
        for holder in self.index.inlined.get(origin, []) if origin else []:
            if holder in by_offset:
                for ranges in self._copies(self.die(holder), origin, 0):
                    yield by_offset[holder], ranges

    def inlined_into(self, function: FunctionEntry) -> frozenset[int]:
        """The abstract entries of the functions that have a copy in this one."""
        return frozenset(self._origins(self.die(function.offset), 0))

    def _origins(self, die: Die, depth: int) -> Iterator[int]:
        for child in self.children(die):
            if child.tag in (ix.TAG_INLINED, ix.TAG_LEXICAL_BLOCK) and depth < _DEPTH_LIMIT:
                if child.tag == ix.TAG_INLINED:
                    yield integer(child.attributes, ix.AT_ABSTRACT_ORIGIN)
                yield from self._origins(child, depth + 1)

    def abstract_locals(self, offset: int) -> Iterator[tuple[str, int]]:
        """Name and line of each variable of the abstract function at `offset`; 0 for a line that
        is not told: its parameters have none."""
        unit = self.unit_at(offset)
        for child in self.children(self.die(offset)):
            if child.tag in (ix.TAG_VARIABLE, ix.TAG_PARAMETER):
                local = self._local(unit, child)
                yield local.name, local.line

    def _copies(self, die: Die, origin: int, depth: int) -> Iterator[list[tuple[int, int]]]:
        unit = self.unit_at(die.offset)
        for child in self.children(die):
            if child.tag not in (ix.TAG_INLINED, ix.TAG_LEXICAL_BLOCK) or depth > _DEPTH_LIMIT:
                continue
            if integer(child.attributes, ix.AT_ABSTRACT_ORIGIN) == origin:
                yield self._ranges(unit, child)
            yield from self._copies(child, origin, depth + 1)

    def _scope(
        self, die: Die, name: str, call_line: int, pc: int, scopes: list[FunctionScope], depth: int
    ) -> None:
        locals_: list[Local] = []
        at = len(scopes)
        scopes.append(FunctionScope(name, call_line, ()))
        self._block(die, pc, locals_, scopes, depth)
        scopes[at] = FunctionScope(name, call_line, tuple(locals_))

    def _block(
        self,
        die: Die,
        pc: int,
        locals_: list[Local],
        scopes: list[FunctionScope],
        depth: int,
        block: int = 0,
    ) -> None:
        unit = self.unit_at(die.offset)
        for child in self.children(die):
            if child.tag in (ix.TAG_VARIABLE, ix.TAG_PARAMETER):
                locals_.append(self._local(unit, child, block))
            elif depth < _DEPTH_LIMIT and child.tag in (ix.TAG_LEXICAL_BLOCK, ix.TAG_INLINED):
                if not any(low <= pc < high for low, high in self._ranges(unit, child)):
                    continue
                if child.tag == ix.TAG_LEXICAL_BLOCK:
                    self._block(child, pc, locals_, scopes, depth + 1, block + 1)
                else:
                    line = integer(child.attributes, ix.AT_CALL_LINE)
                    self._scope(child, self._name(child), line, pc, scopes, depth + 1)

    def _ranges(self, unit: Unit, die: Die) -> list[tuple[int, int]]:
        if ix.AT_LOW_PC in die.attributes:
            return [self._sections.bounds(unit.addr_base, die.attributes)]
        if ix.AT_RANGES in die.attributes:
            return range_list(self._sections, unit, integer(die.attributes, ix.AT_RANGES))
        return []

    def _name(self, die: Die) -> str:
        name = text(die.attributes, ix.AT_NAME)
        origin = integer(die.attributes, ix.AT_ABSTRACT_ORIGIN)
        return name or (text(self.die(origin).attributes, ix.AT_NAME) if origin else "")

    def _local(self, unit: Unit, die: Die, block: int = 0) -> Local:
        own = die.attributes
        origin = integer(own, ix.AT_ABSTRACT_ORIGIN)
        # Concrete entries of inlined calls carry the place; their origin the name and type.
        merged = {**self.die(origin).attributes, **own} if origin else own
        type_offset = integer(merged, ix.AT_TYPE)
        return Local(
            name=text(merged, ix.AT_NAME),
            type=type_offset,
            line=integer(merged, ix.AT_DECL_LINE),
            parameter=die.tag == ix.TAG_PARAMETER,
            result=bool(integer(merged, ix.AT_VARIABLE_PARAMETER)),
            locations=location_list(self._sections, unit, own.get(ix.AT_LOCATION)),
            closure_offset=integer(merged, ix.AT_GO_CLOSURE_OFFSET, -1),
            block=block,
            dictionary_index=self._dictionary_index(type_offset),
        )

    def _dictionary_index(self, type_offset: int) -> int:
        """Of a type that is a typedef of a generic function's; -1 of all others."""
        if not type_offset:
            return -1
        index = integer(self.die(type_offset).attributes, ix.AT_GO_DICT_INDEX, -1)
        return index if index < _DICTIONARY_LIMIT else -1
