"""Rows that one walks through: what a row is, how a list of them is searched, sorted, compared."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter

import msgspec

from goprobe.report import words
from goprobe.report.escaping import escape

_BAR_CELLS = 10


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A row. `amount` is what its bar shows and the list is sorted by, `count` how many there are
    (of what `counts` says); `below` makes what one comes to by entering it. `key` is the same from
    one look to the next. `address` is an object's and `goroutine` a goroutine's number, 0 where
    there is none; `tell` makes what is told of it by itself. Rows of the same `shared` ("": none)
    have by the look what was another's before: what is of one set of holders now is of another
    then."""

    key: str
    name: str
    amount: int
    count: int
    unit: str = "bytes"
    counts: str = "objects"
    address: int = 0
    goroutine: int = 0
    below: Callable[[], list[Entry]] | None = None
    tell: Callable[[], str] | None = None
    shared: str = ""

    @property
    def text(self) -> str:
        return self.tell() if self.tell else ""

    @property
    def size(self) -> str:
        match self.unit:
            case "bytes":
                return words.size(self.amount)
            case "time":
                return words.duration(self.amount) if self.amount else "unknown"
        return words.number(self.amount)


class View(msgspec.Struct, frozen=True):
    """A list to begin with. `why` is told where there is nothing to show; `later` is one that
    nobody begins with where there are others."""

    title: str
    entries: list[Entry]
    why: str = ""
    later: bool = False

    @property
    def label(self) -> str:
        return self.title.lower()


def bar(amount: int, whole: int) -> str:
    cells = round(_BAR_CELLS * min(max(amount, 0) / max(whole, 1), 1))
    return "█" * (cells or (amount > 0)) + "░" * (_BAR_CELLS - (cells or (amount > 0)))


def amounts_of(entries: Sequence[Entry]) -> dict[str, int]:
    """What each has, and what those that share have together."""
    known = dict.fromkeys((e.shared for e in entries if e.shared), 0)
    for entry in entries:
        if entry.shared:
            known[entry.shared] += entry.amount
    return known | {e.key: e.amount for e in entries}


def growth(entries: Sequence[Entry], before: Mapping[str, int]) -> dict[str, int]:
    """By how much each entry of a list has grown since; those that were not there count whole. One
    that shares has grown, or shrunk, by no more than all of those together."""
    since = {key: amount - before.get(key, 0) for key, amount in amounts_of(entries).items()}
    for entry in entries:
        if entry.shared:
            most = since[entry.shared]
            since[entry.key] = max(min(since[entry.key], max(most, 0)), min(most, 0))
    return since


def chosen(
    entries: Sequence[Entry], needle: str, order: str, grown: Mapping[str, int]
) -> list[Entry]:
    """Those that a search leaves, sorted by "size", "count", "name" or "growth"."""
    wanted = needle.lower()
    left = [e for e in entries if wanted in e.name.lower()] if wanted else entries
    match order:
        case "name":
            return sorted(left, key=attrgetter("name"))
        case "count":
            return sorted(left, key=attrgetter("count"), reverse=True)
        case "growth":
            return sorted(left, key=lambda e: -abs(grown.get(e.key, 0)))
    return sorted(left, key=attrgetter("amount"), reverse=True)


def plain(text: str) -> str:
    """What the target calls its own may hold what a terminal would obey."""
    return escape(text, keep="\n")
