"""Who waits on what, and who has that, as a drawing: goroutines at the left, things in the middle,
those who have them at the right. The lists of the page say the same."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

import msgspec
from msgspec import UNSET

from goprobe.model.attached import GoroutinesReport, WaitsOn
from goprobe.report import words
from goprobe.report.waitwords import stands_at

_MOST_THINGS = 16
_MOST_SIDE = 4  # waiting groups, and goroutines that have it, of each thing
_LEFT, _MIDDLE, _RIGHT, _WIDTH = 10, 350, 690, 1000
_BOX, _ROW, _GAP = 300, 26, 14
_LETTERS = 38
_NUMBER = re.compile(r" ?\(goroutine \d+\)")
_KINDS = frozenset({"channel", "mutex", "rwmutex", "wait group", "condition", "semaphore"})


class Box(msgspec.Struct, frozen=True):
    """`alarm`: it is part of a deadlock."""

    x: int
    y: int
    text: str
    title: str
    kind: str
    alarm: bool


class Line(msgspec.Struct, frozen=True):
    """`sure`: who is at its end surely has the thing, or waits on it."""

    path: str
    sure: bool
    alarm: bool


class Drawing(msgspec.Struct, frozen=True):
    width: int
    height: int
    box: int
    row: int
    boxes: tuple[Box, ...]
    lines: tuple[Line, ...]
    left_out: int


class _Who(msgspec.Struct, frozen=True):
    """`count` of the goroutines of a group, which stand in `function`."""

    ids: frozenset[int]
    count: int
    function: str

    @property
    def label(self) -> str:
        if len(self.ids) == 1:
            return f"goroutine {min(self.ids)}{_in(self.function)}"
        several = words.counted(len(self.ids), "goroutine")
        some = f"{words.number(self.count)} of " if self.count < len(self.ids) else ""
        return f"{some}{several}{_in(self.function)}"


class _Thing(msgspec.Struct):
    """`waiting` are the goroutines, those of a group together; of so many things that are `alike`
    in all but the goroutines' numbers it is the first."""

    waits: WaitsOn
    waiting: list[_Who]
    alike: int = 1

    def stands_for(self) -> tuple[object, ...]:
        waits = self.waits
        return (
            waits.kind,
            _NUMBER.sub("", waits.name) or waits.address,
            *(_NUMBER.sub("", h.name) for h in waits.holders),
            *((o.function, o.operation, o.certain) for o in waits.owners),
            *((who.ids, who.function) for who in self.waiting),
        )


def drawing(report: GoroutinesReport) -> Drawing | None:
    """None where nobody waits on anything that can be drawn."""
    dead = frozenset(
        number
        for deadlock in (report.deadlocks if report.deadlocks is not UNSET else ())
        if not deadlock.possible
        for number in deadlock.goroutines
    )
    things = _things(report, dead)
    if not things:
        return None
    boxes: list[Box] = []
    lines: list[Line] = []
    top = _GAP
    ordered = sorted(things, key=lambda t: not any(who.ids & dead for who in t.waiting))
    for thing in ordered[:_MOST_THINGS]:
        rows = _drawn(thing, top, dead, boxes, lines)
        top += rows * (_ROW + 6) + _GAP
    left_out = len(things) - min(len(things), _MOST_THINGS)
    return Drawing(_WIDTH, top, _BOX, _ROW, tuple(boxes), tuple(lines), left_out)


def _things(report: GoroutinesReport, dead: frozenset[int]) -> list[_Thing]:
    things: dict[tuple[str, object], _Thing] = {}
    for ids, function, waits_on in _waiting(report):
        for waits in waits_on:
            if waits.kind in _KINDS and waits.address is not UNSET:
                key = (waits.kind, waits.address)
                known = things.setdefault(key, _Thing(waits, []))
                known.waiting.append(_Who(ids, waits.count or len(ids), function))
    return _folded(things.values(), dead)


def _folded(things: Iterable[_Thing], dead: frozenset[int]) -> list[_Thing]:
    """Those that differ in the goroutines' numbers alone are one, but where they are a deadlock."""
    first: dict[tuple[object, ...], _Thing] = {}
    for thing in things:
        alone = any(who.ids & dead for who in thing.waiting)
        known = first.setdefault((*thing.stands_for(), id(thing) if alone else 0), thing)
        if known is not thing:
            known.alike += 1
            known.waiting = [
                msgspec.structs.replace(who, count=who.count + more.count)
                for who, more in zip(known.waiting, thing.waiting, strict=True)
            ]
    return list(first.values())


def _waiting(
    report: GoroutinesReport,
) -> Iterator[tuple[frozenset[int], str, Sequence[WaitsOn]]]:
    for group in report.groups:
        at = stands_at(group)
        yield frozenset(group.ids), at.function if at else "", group.waits_on
    if not report.groups:
        for state in report.goroutines:
            yield frozenset({state.id}), state.function, state.waits_on


def _drawn(
    thing: _Thing, top: int, dead: frozenset[int], boxes: list[Box], lines: list[Line]
) -> int:
    """Draws one thing with who waits on it and who has it; returns how many rows that takes."""
    waits = thing.waits
    having = [
        (f"goroutine {o.goroutine}{_in(o.function)}", o.certain, o.goroutine in dead)
        for o in waits.owners
    ] or [(holder.name, False, holder.goroutine in dead) for holder in waits.holders]
    at_dead = any(who.ids & dead for who in thing.waiting)
    left = [(who.label, True, bool(who.ids & dead)) for who in thing.waiting]
    name = waits.name or str(waits.address)
    if thing.alike > 1:
        having = [(_NUMBER.sub("", text), sure, alarm) for text, sure, alarm in having]
        name = f"{_NUMBER.sub('', name)}, {words.number(thing.alike)} alike"
    rows = max(min(len(left), _MOST_SIDE + 1), min(len(having), _MOST_SIDE + 1), 1)
    middle = top + (rows - 1) * (_ROW + 6) // 2
    boxes.append(_box(_MIDDLE, middle, f"{waits.kind} {name}", waits.kind, at_dead))
    for x, side in ((_LEFT, left), (_RIGHT, having)):
        for i, (text, sure, alarm) in enumerate(_few(side)):
            y = top + i * (_ROW + 6)
            boxes.append(_box(x, y, text, "goroutine", alarm))
            ends = (x + _BOX, y, _MIDDLE, middle) if x == _LEFT else (_MIDDLE + _BOX, middle, x, y)
            lines.append(Line(_curve(*ends), sure, alarm and at_dead))
    return rows


def _few(side: Sequence[tuple[str, bool, bool]]) -> Iterable[tuple[str, bool, bool]]:
    if len(side) <= _MOST_SIDE + 1:
        return side
    more = words.number(len(side) - _MOST_SIDE)
    return [*side[:_MOST_SIDE], (f"and {more} more", side[-1][1], False)]


def _in(function: str) -> str:
    return f" in {function}" if function else ""


def _box(x: int, y: int, text: str, kind: str, alarm: bool) -> Box:
    shown = text if len(text) <= _LETTERS else f"{text[: _LETTERS - 1]}…"
    return Box(x, y, shown, text, kind, alarm)


def _curve(x: int, y: int, to_x: int, to_y: int) -> str:
    y, to_y, half = y + _ROW // 2, to_y + _ROW // 2, (to_x - x) // 2
    return f"M{x} {y}C{x + half} {y} {to_x - half} {to_y} {to_x} {to_y}"
