"""Types and constants of Go's runtime, found by their names: a walk through all of the debug
information takes many times as long, and who looks at a binary once may need nothing else of it.

The linker puts all of Go's types into a unit of their own, which it calls runtime as well
(dwarfGenerateDebugInfo and movetomodule, cmd/link/internal/ld/dwarf.go), the compiler the constants
of a package into that package's; names stand at the beginning of an entry, as they are (`abbrevs`,
cmd/internal/dwarf/dwarf.go; Go 1.21 to 1.27).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from goprobe.binary.dwarf.dieindex import (
    AT_CONST_VALUE,
    AT_DECLARATION,
    AT_GO_KIND,
    AT_NAME,
    TAG_CONSTANT,
    TYPE_TAGS,
    Attributes,
    Sections,
    Unit,
    integer,
)
from goprobe.binary.dwarf.forms import FORM_STRING, Abbrev

_TYPES = "runtime"
_ONE_BYTE = 0x80  # below it a LEB128 number is that byte
_MOST_HITS = 1 << 10
_READ_AT_ONCE = 32  # bytes that a search passes over for the cost of one


class RuntimeEntries:
    """What an Index would say of such a type or constant."""

    def __init__(self, sections: Sections, units: Sequence[Unit]) -> None:
        self._sections = sections
        self._units: dict[str, list[Unit]] = {}
        for unit in units:
            if unit.go:
                self._units.setdefault(unit.name, []).append(unit)

    @property
    def complete(self) -> bool:
        """Whether all that has a name has it where it is looked for."""
        tables = {unit.abbrev for units in self._units.values() for unit in units}
        return bool(tables) and all(
            _begins_with_name(abbrev)
            for table in tables
            for abbrev in self._sections.abbrevs(table).values()
            if abbrev.tag in TYPE_TAGS or abbrev.tag == TAG_CONSTANT
        )

    def type(self, name: str) -> int:
        """The offset of a type's entry, 0 where there is none."""
        best = 0
        # As the index has it: the entry that says the kind, else the first.
        for offset, tag, attributes in self._entries(_TYPES, name):
            if tag in TYPE_TAGS and not attributes.get(AT_DECLARATION):
                best = offset if not best or AT_GO_KIND in attributes else best
        return best

    def constant(self, name: str) -> int | None:
        value = None
        for _, tag, attributes in self._entries(name.rpartition(".")[0], name):
            if tag == TAG_CONSTANT:
                value = integer(attributes, AT_CONST_VALUE)
        return value

    def _entries(self, unit_name: str, name: str) -> Iterator[tuple[int, int, Attributes]]:
        """Offset, tag and attributes of what bears a name: in the units of one name, or, where
        there is nothing, in any."""
        entries = list(self._entries_in(self._units.get(unit_name, ()), name))
        for units in () if entries else self._units.values():
            entries += self._entries_in(units, name)
        return iter(entries)

    def _entries_in(
        self, units: Sequence[Unit], name: str
    ) -> Iterator[tuple[int, int, Attributes]]:
        info, wanted = self._sections.get("info"), name.encode() + b"\0"
        for unit in units:
            table = self._sections.abbrevs(unit.abbrev)
            at = unit.first_die
            for _ in range(_MOST_HITS):
                end = info.find(wanted, at, unit.end)
                self._sections.budget.spend(((end if end >= 0 else unit.end) - at) // _READ_AT_ONCE)
                if end < 0:
                    break
                at = end + 1
                abbrev = table.get(info[end - 1]) if info[end - 1] < _ONE_BYTE else None
                if abbrev and abbrev.attributes and _begins_with_name(abbrev):
                    attributes, _ = self._sections.attributes(abbrev, end, unit.offset)
                    yield end - 1, abbrev.tag, attributes


def _begins_with_name(abbrev: Abbrev) -> bool:
    names = [a for a, _, _ in abbrev.attributes if a == AT_NAME]
    return not names or abbrev.attributes[0][:2] == (AT_NAME, FORM_STRING)
