"""Roots as words that hold addresses, grouped by what a person would name.

A group is a variable, a goroutine, a variable of a goroutine's frame, a finalizer.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from enum import StrEnum

import msgspec
import numpy as np
from msgspec.structs import replace

from goprobe.binary.dwarf.gotypes import GoType
from goprobe.process.memory.copies import Words
from goprobe.runtime.heap.objects import Ids, parts_of


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
    `through` are objects whose pointers are roots, too (those with finalizers), and
    `through_rtype` the descriptor of their type, where that is known.
    `calls` are the closures of cleanups, `arguments` leads to what each is called with, and
    `helpers` are the closures that do so; these alone where they have captured both.
    `rtype` is the descriptor of its type, where that alone is known of it. `before` is what stands
    before a lone pointer in a word that is none: an interface's type, say. `several`: it is so many
    goroutines, or a pointer variable of so many, one root of each; they have no one address. `gs`
    are the addresses of the g structs of goroutines, which are their own whoever else has them.
    `handles` are what weak pointers have instead of the addresses `about` objects.
    `function` is the frame's of a variable, and the one that a goroutine began with. Of a variable
    in registers, `words` are its words, and its only root is number `at` of them.

    `standing` are pcs within the call that a frame's function stands in, and within those that led
    there, innermost first, as far as these are certain; `place` is where in the frame the variable
    begins, from the CFA. `code` is where the code of the closure begins that the variable is, 0
    where it is none.
    """

    kind: RootKind
    name: str
    parent: int = -1
    address: int = 0
    type: GoType | None = None
    goroutine: int = 0
    function: str = ""
    conservative: bool = False
    through: array[int] = msgspec.field(default_factory=lambda: array("Q"))
    helpers: array[int] = msgspec.field(default_factory=lambda: array("Q"))
    calls: array[int] = msgspec.field(default_factory=lambda: array("Q"))
    arguments: array[int] = msgspec.field(default_factory=lambda: array("Q"))
    rtype: int = 0
    before: int = 0
    through_rtype: int = 0
    several: int = 1
    gs: array[int] = msgspec.field(default_factory=lambda: array("Q"))
    handles: array[int] = msgspec.field(default_factory=lambda: array("Q"))
    about: array[int] = msgspec.field(default_factory=lambda: array("Q"))
    words: tuple[int, ...] = ()
    at: int = 0
    standing: tuple[int, ...] = ()
    place: int = 0
    code: int = 0


class RootColumns(msgspec.Struct, frozen=True):
    """Roots as arrays: what stands where, and the number of the group that each belongs to."""

    owners: Ids
    addresses: Words
    values: Words


class Roots(msgspec.Struct):
    """`values[i]` was found at `addresses[i]` (0: in a register), and belongs to `groups[i]`.

    `notes` say what is not sure of them, `lost` those of the notes by which some may be missing:
    what only these keep is told as garbage. `others` are roots joined with these, and how many
    groups lie before their own: they are not copied, as there may be very many.
    """

    groups: list[RootGroup] = msgspec.field(default_factory=list)
    values: array[int] = msgspec.field(default_factory=lambda: array("Q"))
    addresses: array[int] = msgspec.field(default_factory=lambda: array("Q"))
    owners: array[int] = msgspec.field(default_factory=lambda: array("i"))
    notes: list[str] = msgspec.field(default_factory=list)
    lost: list[str] = msgspec.field(default_factory=list)
    others: list[tuple[int, Roots]] = msgspec.field(default_factory=list)

    def __len__(self) -> int:
        return len(self.values) + sum(len(roots) for _, roots in self.others)

    def lose(self, why: str) -> None:
        self.notes.append(why)
        self.lost.append(why)

    def group(self, group: RootGroup) -> int:
        self.groups.append(group)
        return len(self.groups) - 1

    def add(self, owner: int, address: int, value: int) -> None:
        self.owners.append(owner)
        self.addresses.append(address)
        self.values.append(value)

    def add_many(self, owners: Ids, addresses: Words, values: Words) -> None:
        self.owners.frombytes(owners.view(np.uint8).data)
        self.addresses.frombytes(addresses.view(np.uint8).data)
        self.values.frombytes(values.view(np.uint8).data)

    def parts(self, before: int = 0) -> Iterator[RootColumns]:
        """All of them, some at a time; `before` are other roots' groups."""
        owners = np.frombuffer(self.owners, np.int32)
        addresses = np.frombuffer(self.addresses, np.uint64)
        values = np.frombuffer(self.values, np.uint64)
        for part in parts_of(len(values)):
            yield RootColumns(owners[part] + np.int32(before), addresses[part], values[part])
        for shift, roots in self.others:
            yield from roots.parts(before + shift)


def join(whole: Roots, *others: Roots) -> Roots:
    """All of them as one, groups renumbered: the first, with the others behind it."""
    for part in others:
        shift = len(whole.groups)
        for group in part.groups:
            if group.parent >= 0 and shift:
                group = replace(group, parent=group.parent + shift)
            whole.groups.append(group)
        whole.others.append((shift, part))
        whole.notes += part.notes
        whole.lost += part.lost
    return whole
