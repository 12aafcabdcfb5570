"""The drawing of an address space: a strip to scale, a lens on what is used, arrows between.

Lengths are CSS pixels at a root font of 16; the page scales them with the reader's font. The boxes
of the lens are HTML and of known height, so that the strip and the arrows beside them can be drawn
without a script, at any width.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec.structs import replace

from goprobe.model.location import Kind, Region
from goprobe.report import words
from goprobe.report.picture import GAP_WORTH_SHOWING, Mark, Row, rows

STRIP = 10.0
FAN = 88.0  # the strip, and the lens's rays up to the boxes
_HEAD = 34.0
_ITEM = 30.0
_SPACE = 4.0
_GAP = 22.0
_USER_SPACE = 1 << 47
_MOST_NAMES = 3
_ARENA = "objects, stacks, free pages"


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """Something in memory. `key` is the same at each stop; `to` the keys of what it points at."""

    key: str
    label: str
    what: str
    address: int
    kind: Kind
    evidence: str = ""
    place: str = ""
    to: tuple[str, ...] = ()
    thread: int = 0


class Part(msgspec.Struct, frozen=True):
    kind: str
    name: str
    size: int
    percent: float


class Box(msgspec.Struct, frozen=True, kw_only=True):
    """A row of the lens. `fan` are the corners of its ray; `middle` of each item for arrows."""

    kind: str
    name: str
    meaning: str
    low: str
    high: str
    perms: str
    size: int
    gap: int
    inside: bool
    top: float
    height: float
    fan: str
    strip_y: float
    strip_height: float
    parts: tuple[Part, ...]
    items: tuple[Item, ...]


class Arrow(msgspec.Struct, frozen=True):
    path: str
    head: str
    thread: int
    key: str


class Scene(msgspec.Struct, frozen=True):
    boxes: tuple[Box, ...]
    arrows: tuple[Arrow, ...]
    height: float
    space: int


def picture(regions: Sequence[Region], addresses: Sequence[int] = ()) -> list[Row]:
    """The rows for a drawing in which these addresses can be shown."""
    return rows(regions, [Mark(address, "") for address in dict.fromkeys(addresses)])


def scene(drawn: Sequence[Row], items: Sequence[Item] = ()) -> Scene:
    """The rows with these items in them; a row inside another is shown for what lies in it."""
    placed: dict[int, list[Item]] = {}
    for item in sorted(items, key=lambda t: t.address):
        at = [i for i, row in enumerate(drawn) if row.low <= item.address < row.high]
        if at:
            placed.setdefault(at[-1], []).append(item)
    boxes: list[Box] = []
    y, gap = 0.0, 0
    for i, row in enumerate(drawn):
        gap = gap or row.gap
        if row.inside and i not in placed:
            continue
        y += _GAP if gap >= GAP_WORTH_SHOWING else _SPACE if boxes else 0.0
        boxes.append(_box(row, tuple(placed.get(i, ())), y, gap))
        y, gap = y + boxes[-1].height, 0
    space = _space(drawn)
    scaled = tuple(
        _to_scale(box, row_low, row_high, y, space)
        for box, row_low, row_high in ((box, int(box.low, 16), int(box.high, 16)) for box in boxes)
    )
    return Scene(scaled, tuple(_arrows(boxes)), y, space)


def _space(drawn: Sequence[Row]) -> int:
    highest = max((int(row.high) for row in drawn), default=0)
    return max(_USER_SPACE, 1 << max(highest - 1, 0).bit_length())


def _box(row: Row, items: tuple[Item, ...], top: float, gap: int) -> Box:
    kind = Kind.HEAP if row.arena else row.kind
    name = _name(row)
    told = {item.kind for item in items}
    if row.inside and len(told) == 1 and kind not in told:
        # What was so at the item's own stop, where the map of a later one says otherwise.
        (kind,) = told
        name = words.KIND_NAMES[kind]
    meaning = _ARENA if row.arena else _meaning(row)
    whole = row.size or 1
    parts = tuple(
        Part(p.use.kind.value, p.use.name, p.size, round(100 * p.size / whole, 2))
        for p in row.parts
    )
    return Box(
        kind=kind.value,
        name=name,
        meaning=meaning,
        low=str(row.low),
        high=str(row.high),
        perms=row.perms,
        size=row.size,
        gap=gap if gap >= GAP_WORTH_SHOWING else 0,
        inside=row.inside,
        top=top,
        height=_HEAD + _ITEM * len(items),
        fan="",
        strip_y=0.0,
        strip_height=0.0,
        parts=parts if len(parts) > 1 else (),
        items=items,
    )


def _name(row: Row) -> str:
    if row.inside and row.label:
        return row.label
    if row.arena:
        return "heap arena"
    more = len(row.names) - _MOST_NAMES
    return words.listed([*row.names[:_MOST_NAMES], *([f"{more} more"] if more > 0 else [])])


def _meaning(row: Row) -> str:
    """Of a row of one use; several have their own words beside their bytes."""
    return row.parts[0].use.meaning if len(row.parts) == 1 else ""


def _to_scale(box: Box, low: int, high: int, height: float, space: int) -> Box:
    start, end = low / space * height, high / space * height
    thick = max(end - start, 0.75)
    left, right = STRIP, FAN
    middle = (left + right) / 2
    bottom = box.top + box.height
    fan = (
        f"M{left} {start:.2f}C{middle} {start:.2f} {middle} {box.top} {right} {box.top}"
        f"V{bottom}C{middle} {bottom} {middle} {start + thick:.2f} {left} {start + thick:.2f}Z"
    )
    return replace(box, fan=fan, strip_y=round(start, 2), strip_height=round(thick, 2))


def _arrows(boxes: Sequence[Box]) -> list[Arrow]:
    middles = {
        item.key: box.top + _HEAD + _ITEM * (i + 0.5) - 2
        for box in boxes
        for i, item in enumerate(box.items)
    }
    links = [
        (item.key, to, item.thread)
        for box in boxes
        for item in box.items
        for to in item.to
        if to in middles
    ]
    return [_arrow(middles, *link, lane) for lane, link in enumerate(links)]


def _arrow(middles: dict[str, float], key: str, to: str, thread: int, lane: int) -> Arrow:
    start, end = middles[key] + 3, middles[to] - 3
    far = 22.0 + 9.0 * (lane % 4)
    path = f"M0 {start}C{far} {start} {far} {end} 7 {end}"
    return Arrow(path, f"M8 {end - 4.5}L0 {end}L8 {end + 4.5}Z", thread, f"{key}>{to}")
