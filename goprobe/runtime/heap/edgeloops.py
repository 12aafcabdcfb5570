"""The loop of `edges`: where edges go that are put in the order of their sources."""

from __future__ import annotations

from goprobe.compiled import Row, loop


@loop
def places(source: Row, following: Row) -> int:
    """Puts the place of each edge where its source was; `following` is where the next edge of each
    source goes."""
    for edge in range(len(source)):
        at = source[edge]
        source[edge] = following[at]
        following[at] += 1
    return 0
