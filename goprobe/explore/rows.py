"""A row of a list as it is drawn."""

from __future__ import annotations

from rich.text import Text

from goprobe.explore.entries import Entry, bar
from goprobe.explore.levels import middle_cut
from goprobe.report import words

SIZE, SHARE, BAR, GAP = 9, 7, 10, 2  # how wide its columns are, and what is between them


def row(entry: Entry, whole: int, room: int, more: int | None, *, mark: str, wide: bool) -> Text:
    """`room` is for the name; `more` is by how much it has grown, None where that is not told."""
    text = Text(entry.size.rjust(SIZE), no_wrap=True, end="")
    if entry.unit == "bytes":
        text.append(words.number(entry.count).rjust(SIZE + GAP))
    if wide:
        text.append(f"{100 * entry.amount / max(whole, 1):.1f} %".rjust(SHARE + GAP))
    text.append(" " * GAP).append(bar(entry.amount, whole), style="yellow").append(" " * GAP)
    if more is not None:
        told, style = grown(more, entry.unit)
        text.append(told.rjust(BAR), style=style).append(" " * GAP)
    leads = "▸" if entry.below else " "
    return text.append(f"{mark}{leads} {middle_cut(entry.name, room)}")


def grown(amount: int, unit: str) -> tuple[str, str]:
    """What is shown of it, and in which colour."""
    if not amount:
        return "", ""
    signed = {"bytes": words.signed_size, "time": words.signed_duration}.get(unit, words.signed)
    return signed(amount), "red" if amount > 0 else "green"
