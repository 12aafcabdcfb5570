"""What a function of the runtime that allocates is, and where its calls have their arguments.

Arguments and results are where Go's register ABI puts them (src/cmd/compile/abi-internal.md):
integers and pointers in turn in RAX RBX RCX RDI RSI R8 R9 R10 R11; a parameter that does not fit
whole goes on the stack, first at [rsp] before the CALL pushes the return address.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
from functools import cache
from typing import Protocol

import msgspec

from goprobe.arch.registers import INTEGER_ARGUMENTS


class Family(StrEnum):
    """What the source holds where such a call comes from."""

    OBJECT = "object"  # new, &T{}, a variable moved, a closure, a method value, an array's slice
    SLICE = "slice"  # make([]T)
    GROW = "grow"  # append
    MOVE = "move"  # a slice built in the frame that leaves it after all (since 1.26)
    MAP = "map"  # make(map), map literals
    ASSIGN = "assign"  # m[k] = v
    CHANNEL = "channel"
    CONVERT = "convert"  # a value that becomes an interface
    CONCAT = "concat"
    TO_STRING = "to_string"  # string(bytes), string(runes), string(rune)
    TO_BYTES = "to_bytes"
    TO_RUNES = "to_runes"
    DEFER = "defer"
    GO = "go"
    BOOKKEEPING = "bookkeeping"  # what else the runtime makes: records of waiters, caches
    LINKED = "linked"  # functions of the runtime that other packages declare: maps.clone
    NOTHING = "nothing"  # checks and temporaries: they never allocate


class Allocates(StrEnum):
    """How many objects a call asks the allocator for."""

    ONE = "one"  # always one (none for a size of zero)
    PERHAPS = "perhaps"  # none or one, by its arguments
    SEVERAL = "several"  # any number
    NONE = "none"


class Words(Protocol):
    """What a call was given and gave, and the types it names."""

    def argument(self, name: str) -> int: ...

    def result(self, index: int) -> int: ...

    def type_size(self, rtype: int) -> int:
        """Bytes of a value of the Go type whose descriptor lies there."""


Requested = Callable[[Words], int]


class ArgumentSlot(msgspec.Struct, frozen=True):
    """Where an argument's word is at the CALL: in a register, or at [rsp + offset]."""

    register: str = ""
    offset: int = 0


class Allocator(msgspec.Struct, frozen=True):
    """A runtime function. `signature` is Go's; `name` the symbol without `runtime.`, whole where it
    bears another package's name.

    `type` names the parameter that points to the type (of the object, the element, the map, the
    channel), `buffer` the one for memory in the caller's frame (nil: the result escapes), `passes`
    those whose very memory may come back as the result. `requested` is the bytes asked for.
    `limit` says why a call may allocate although the compiler said "does not escape".
    """

    name: str
    family: Family
    allocates: Allocates
    signature: str
    source: str
    type: str = ""
    buffer: str = ""
    passes: tuple[str, ...] = ()
    requested: Requested | None = None
    limit: str = ""
    fixed_type: str = ""
    since: tuple[int, int] = (1, 21)
    until: tuple[int, int] = (1, 999)

    @property
    def slots(self) -> Mapping[str, ArgumentSlot]:
        """Each word of each parameter, by name, and its place."""
        return _slots(self.signature)

    @property
    def tells_later(self) -> bool:
        """Whether what a call was given and gave can be told when it has long returned: by
        registers alone, and by what its results still are then."""
        slots = self.slots
        in_registers = all(slot.register for slot in slots.values())
        slices = any(f"{name}.cap" in slots for name in self.passes)
        # A map in the frame, which the caller hands over, is looked into.
        map_handed = self.family is Family.MAP and bool(slots)
        return in_registers and not slices and not map_handed

    @property
    def symbol(self) -> str:
        package = "." in self.name.partition("(")[0]
        return self.name if package else f"runtime.{self.name}"


_PARAMETERS = re.compile(r"\((.*?)\)")
_WORDS: Mapping[str, tuple[str, ...]] = {"string": ("", ".len"), "any": ("", ".data")}
_SLICE_WORDS = ("", ".len", ".cap")


@cache
def _slots(signature: str) -> Mapping[str, ArgumentSlot]:
    return dict(_placed(signature))


def _placed(signature: str) -> Iterator[tuple[str, ArgumentSlot]]:
    """Each word of each parameter and its place; `a`, `a.len`, `a.cap` for those of several."""
    free, offset = list(INTEGER_ARGUMENTS), 0
    for name, kind in _parameters(signature):
        words = _SLICE_WORDS if kind.startswith("[]") else _WORDS.get(kind, ("",))
        fits = len(words) <= len(free)
        for word in words:
            if fits:
                yield name + word, ArgumentSlot(free.pop(0))
            else:
                yield name + word, ArgumentSlot(offset=offset)
                offset += 8


def _parameters(signature: str) -> list[tuple[str, str]]:
    """Names and types; `a, b int` gives both the type that follows."""
    match = _PARAMETERS.match(signature)
    pairs: list[tuple[str, str]] = []
    kind = ""
    for part in reversed([p for p in (match[1] if match else "").split(", ") if p]):
        name, _, own = part.partition(" ")
        kind = own or kind
        pairs.insert(0, (name, kind))
    return pairs
