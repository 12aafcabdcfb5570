"""A squarified treemap: areas to scale, each tile as near to a square as its neighbours allow.

After Bruls, Huizing and van Wijk, "Squarified Treemaps" (2000).
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec


class Rect(msgspec.Struct, frozen=True):
    """Percent of the whole the tiles lie in."""

    left: float
    top: float
    width: float
    height: float


def squarified(amounts: Sequence[float], aspect: float = 1.0) -> list[Rect]:
    """One rectangle for each amount (all above zero, largest first), in a box that is `aspect`
    times as wide as it is high."""
    total = sum(amounts)
    if not total:
        return []
    scale = aspect / total  # the box is `aspect` wide and 1 high
    rects: list[Rect] = []
    x, y, width, height = 0.0, 0.0, aspect, 1.0
    row: list[float] = []
    for area in (*(amount * scale for amount in amounts), None):
        side = min(width, height)
        if area is not None and (not row or _worst([*row, area], side) <= _worst(row, side)):
            row.append(area)
            continue
        thick = sum(row) / side if side else 0.0
        placed = _placed(row, x, y, thick, upright=width >= height)
        rects += [
            Rect(100 * r.left / aspect, 100 * r.top, 100 * r.width / aspect, 100 * r.height)
            for r in placed
        ]
        if width >= height:
            x, width = x + thick, max(width - thick, 0.0)
        else:
            y, height = y + thick, max(height - thick, 0.0)
        row = [] if area is None else [area]
    return rects


def _worst(row: Sequence[float], side: float) -> float:
    total = sum(row)
    if not total or not side:
        return float("inf")
    return max(
        side**2 * max(row) / total**2, total**2 / (side**2 * min(row)) if min(row) else float("inf")
    )


def _placed(row: Sequence[float], x: float, y: float, thick: float, *, upright: bool) -> list[Rect]:
    rects, at = [], 0.0
    for area in row:
        length = area / thick if thick else 0.0
        if upright:
            rects.append(Rect(x, y + at, thick, length))
        else:
            rects.append(Rect(x + at, y, length, thick))
        at += length
    return rects
