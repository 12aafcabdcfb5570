"""Roots as words that hold addresses, grouped by what a person would name.

A group is a variable, a goroutine, a variable of a goroutine's frame, a finalizer.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

import msgspec
from msgspec.structs import replace

from goprobe.binary.dwarf.gotypes import GoType


class RootKind(StrEnum):
    GLOBAL = "global"
    GOROUTINE = "goroutine"
    VARIABLE = "variable"
    FINALIZER = "finalizer"
    CLEANUP = "cleanup"
    WEAK = "weak handle"


class RootGroup(msgspec.Struct, frozen=True, kw_only=True):
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


def join(parts: Iterable[Roots]) -> Roots:
    """All of them as one, groups renumbered."""
    whole = Roots()
    for part in parts:
        shift = len(whole.groups)
        for group in part.groups:
            if group.parent >= 0 and shift:
                group = replace(group, parent=group.parent + shift)
            whole.groups.append(group)
        whole.values += part.values
        whole.addresses += part.addresses
        whole.owners += [owner + shift for owner in part.owners]
        whole.notes += part.notes
    return whole
