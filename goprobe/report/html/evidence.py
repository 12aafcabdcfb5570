"""How each address of a page is known: told once at its end, shown where the address is met."""

from __future__ import annotations

import msgspec
from msgspec import UNSET, UnsetType

from goprobe.model.location import Location
from goprobe.report import words

_MOST = 4000
_MOST_FACTS = 12


class Entry(msgspec.Struct, frozen=True):
    id: str
    address: str
    name: str
    kind: str
    kind_name: str
    facts: tuple[str, ...]


class EvidenceList:
    """The evidence for the addresses that a page shows, each identity of an address once."""

    __slots__ = ("_known", "left_out")

    def __init__(self) -> None:
        self._known: dict[tuple[int, str, tuple[str, ...]], Entry] = {}
        self.left_out = 0

    @property
    def entries(self) -> list[Entry]:
        return list(self._known.values())

    def id(self, location: Location | UnsetType) -> str:
        """Where on the page the location's evidence stands; empty where there is none."""
        if location is UNSET or not location.evidence:
            return ""
        key = (int(location.address), location.name, location.evidence)
        entry = self._known.get(key)
        if entry is None and len(self._known) >= _MOST:
            self.left_out += 1
            return ""
        if entry is None:
            entry = self._known[key] = Entry(
                f"e{len(self._known) + 1}",
                str(location.address),
                location.name,
                location.kind.value,
                words.KIND_NAMES[location.kind],
                location.evidence[:_MOST_FACTS],
            )
        return entry.id
