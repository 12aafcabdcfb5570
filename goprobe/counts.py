"""Numbers with what they count, as one says them."""

from __future__ import annotations


def noun(count: int, one: str, many: str = "") -> str:
    """The word alone: "object" of one or minus one, "objects" of all others."""
    return one if abs(count) == 1 else many or one + "s"


def counted(count: int, one: str, many: str = "") -> str:
    """ "1 stop", "2 stops", "1,024 objects"."""
    return f"{count:,} {noun(count, one, many)}"
