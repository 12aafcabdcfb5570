"""Where one stands in the lists, and how a row and the way there are written: textual apart."""

from __future__ import annotations

import gc
from collections.abc import Sequence

import msgspec
from rich.text import Text

from goprobe.explore.entries import Entry, View, amounts_of


class Level(msgspec.Struct):
    """A list, and where one stands in it."""

    title: str
    entries: list[Entry]
    cursor: int = 0
    needle: str = ""
    whole: int = 0

    def __post_init__(self) -> None:
        self.whole = sum(e.amount for e in self.entries)


def below(entry: Entry) -> list[Entry]:
    """What one comes to. Of 100,000 rows Python would look for garbage for most of the time."""
    collects = gc.isenabled()
    gc.disable()
    try:
        return entry.below() if entry.below else []
    finally:
        if collects:
            gc.enable()


def amounts(paths: list[list[Level]]) -> dict[str, int]:
    """What every list at hand, and those that are open, had before."""
    known: dict[str, int] = {}
    for levels in paths:
        for level in levels:
            known |= amounts_of(level.entries)
        for entry in levels[0].entries:
            if entry.below is not None and entry.unit == "bytes":
                known |= amounts_of(entry.below())
    return known


def again(made: list[View], before: list[list[Level]]) -> list[list[Level]]:
    """One stands where one stood, as far as that is there still."""
    paths: list[list[Level]] = []
    for number, view in enumerate(made):
        old = before[number] if before else []
        levels = [Level(view.title, view.entries, *((old[0].cursor, old[0].needle) if old else ()))]
        for level in old[1:]:
            entry = next((e for e in levels[-1].entries if e.name == level.title), None)
            if entry is None or entry.below is None:
                break
            levels.append(Level(level.title, entry.below(), level.cursor, level.needle))
        paths.append(levels)
    return paths


def end(path: str, room: int) -> str:
    """Where one is, and as much of the way there as there is room for."""
    return path if len(path) <= room else f"…{path[len(path) - room + 1 :]}"


def lists(labels: Sequence[str], at: int) -> Text:
    """The lists that one can go to, with the one in which one is."""
    text = Text(no_wrap=True)
    for number, name in enumerate(labels):
        text.append(f" {number + 1} {name} ", style="reverse" if number == at else "")
        text.append(" ")
    return text


def middle_cut(name: str, room: int) -> str:
    """Both ends tell names apart."""
    if len(name) <= room:
        return name
    head = (room - 1) // 2
    return f"{name[:head]}…{name[-(room - 1 - head) :]}"
