"""What the code of functions was asked, and said, kept from look to look.

It follows from the executable's bytes alone, whatever process runs them and wherever they lie
there: all addresses are link-time addresses. So it is kept by a digest of what the loader maps.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Protocol, TypeVar

import msgspec

from goprobe.arch.code import Call, ElementStore, HandedOn, ObjectUses, Origin, Store, Untold
from goprobe.binary.cache import Source, load, room_of_folders, store

_CODE = ("arch/amd64", "binary/pcln", "runtime/codetypes", "runtime/image")
_MOST = 1 << 19  # answers in one entry
_MOST_KEPT = 300  # entries: each has up to some MB

T = TypeVar("T")


class Code(Protocol):
    """What is asked, as Origins answers it."""

    @property
    def stores(self) -> tuple[Store, ...]: ...
    @property
    def elements(self) -> tuple[ElementStore, ...]: ...
    @property
    def calls(self) -> tuple[Call, ...]: ...
    @property
    def returns(self) -> tuple[int, ...]: ...
    @property
    def leaves(self) -> bool: ...
    def call_at(self, pc: int) -> Call | None: ...
    def object_at(self, place: int) -> ObjectUses | None: ...
    def at_place(self, place: int, pc: int) -> tuple[Origin, ...]: ...
    def of(self, holder: str, pc: int) -> tuple[Origin, ...]: ...
    def store_at(self, pc: int) -> Store | None: ...


class Unread:
    """What code says that was read once, and cannot be any more."""

    stores: tuple[Store, ...] = ()
    elements: tuple[ElementStore, ...] = ()
    calls: tuple[Call, ...] = ()
    returns: tuple[int, ...] = ()
    leaves = True

    def call_at(self, pc: int) -> Call | None:
        return None

    def object_at(self, place: int) -> ObjectUses | None:
        return None

    def at_place(self, place: int, pc: int) -> tuple[Origin, ...]:
        return (Untold(),)

    def of(self, holder: str, pc: int) -> tuple[Origin, ...]:
        return (Untold(),)

    def store_at(self, pc: int) -> Store | None:
        return None


class _Answers(msgspec.Struct):
    """Of one function: by register and pc where values came from, by place of the frame and pc the
    same; by place which variable it is part of; by pc what is stored, and what is called; the rest
    None where nobody has asked."""

    origins: dict[str, dict[int, tuple[Origin, ...]]] = msgspec.field(default_factory=dict)
    places: dict[int, dict[int, tuple[Origin, ...]]] = msgspec.field(default_factory=dict)
    objects: dict[int, ObjectUses | None] = msgspec.field(default_factory=dict)
    called: dict[int, Call | None] = msgspec.field(default_factory=dict)
    stored: dict[int, Store | None] = msgspec.field(default_factory=dict)
    stores: tuple[Store, ...] | None = None
    elements: tuple[ElementStore, ...] | None = None
    calls: tuple[Call, ...] | None = None
    returns: tuple[int, ...] | None = None
    leaves: bool | None = None


class Entry(msgspec.Struct):
    """What functions said, by where they begin; and by register ("" for what is loaded) and pc to
    whom values are handed on. `count` is the number of answers."""

    functions: dict[int, _Answers] = msgspec.field(default_factory=dict)
    ahead: dict[str, dict[int, tuple[HandedOn, ...]]] = msgspec.field(default_factory=dict)
    count: int = 0


class KeptAnswers:
    """Of one executable; without a `source` for as long as this lives only."""

    def __init__(self, source: Source | None) -> None:
        self._source = source
        self._learnt = 0

    @cached_property
    def _entry(self) -> Entry:
        digest = self._digest()
        kept = load(_room(), digest, Entry) if digest else None
        return kept if kept is not None and kept.count <= _MOST else Entry()

    def _digest(self) -> str:
        return (self._source.known() or self._source.read()) if self._source else ""

    def keep(self) -> None:
        """For the next look, where anything was learnt."""
        if self._learnt and self._source and self._entry.count <= _MOST:
            store(_room(), self._digest(), self._entry, most=_MOST_KEPT)
        self._learnt = 0

    def has(self, entry: int) -> bool:
        """Whether the function that begins there was read before."""
        return entry in self._entry.functions

    def code(self, entry: int, opened: Callable[[], Code]) -> KeptCode:
        """What the code of that function says; `opened` reads it where that is needed."""
        return KeptCode(self._entry.functions.setdefault(entry, _Answers()), opened, self)

    def ahead(
        self, pc: int, returned: str, make: Callable[[], tuple[HandedOn, ...]]
    ) -> tuple[HandedOn, ...]:
        known = self._entry.ahead.setdefault(returned, {})
        if pc not in known:
            known[pc] = self.learnt(make())
        return known[pc]

    def learnt(self, answer: T) -> T:
        self._learnt += 1
        self._entry.count += 1
        return answer


class KeptCode:
    """What the code of one function says."""

    def __init__(self, answers: _Answers, opened: Callable[[], Code], kept: KeptAnswers) -> None:
        self._answers = answers
        self._opened = opened
        self._learnt = kept.learnt

    def of(self, holder: str, pc: int) -> tuple[Origin, ...]:
        known = self._answers.origins.setdefault(holder, {})
        if pc not in known:
            known[pc] = self._learnt(self._code.of(holder, pc))
        return known[pc]

    def at_place(self, place: int, pc: int) -> tuple[Origin, ...]:
        known = self._answers.places.setdefault(place, {})
        if pc not in known:
            known[pc] = self._learnt(self._code.at_place(place, pc))
        return known[pc]

    def object_at(self, place: int) -> ObjectUses | None:
        known = self._answers.objects
        if place not in known:
            known[place] = self._learnt(self._code.object_at(place))
        return known[place]

    def call_at(self, pc: int) -> Call | None:
        known = self._answers.called
        if pc not in known:
            known[pc] = self._learnt(self._code.call_at(pc))
        return known[pc]

    def store_at(self, pc: int) -> Store | None:
        known = self._answers.stored
        if pc not in known:
            known[pc] = self._learnt(self._code.store_at(pc))
        return known[pc]

    @property
    def stores(self) -> tuple[Store, ...]:
        if self._answers.stores is None:
            self._answers.stores = self._learnt(self._code.stores)
        return self._answers.stores

    @property
    def elements(self) -> tuple[ElementStore, ...]:
        if self._answers.elements is None:
            self._answers.elements = self._learnt(self._code.elements)
        return self._answers.elements

    @property
    def calls(self) -> tuple[Call, ...]:
        if self._answers.calls is None:
            self._answers.calls = self._learnt(self._code.calls)
        return self._answers.calls

    @property
    def returns(self) -> tuple[int, ...]:
        if self._answers.returns is None:
            self._answers.returns = self._learnt(self._code.returns)
        return self._answers.returns

    @property
    def leaves(self) -> bool:
        if self._answers.leaves is None:
            self._answers.leaves = self._learnt(self._code.leaves)
        return self._answers.leaves

    @cached_property
    def _code(self) -> Code:
        return self._opened()


def _room() -> str:
    """That of this version's reading of code."""
    return room_of_folders("code", *_CODE)
