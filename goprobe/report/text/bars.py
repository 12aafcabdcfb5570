"""Bars to scale: a length that stands for an amount."""

from __future__ import annotations

_EIGHTHS = " ▏▎▍▌▋▊▉█"
_PLAIN = "#"


def bar(amount: float, whole: float, cells: int, *, unicode: bool) -> str:
    """`amount` of `whole` as a bar of at most `cells` cells; something is never nothing."""
    if amount <= 0 or whole <= 0 or cells <= 0:
        return ""
    share = min(amount / whole, 1.0)
    if not unicode:
        return _PLAIN * max(round(share * cells), 1)
    eighths = max(round(share * cells * 8), 1)
    full, rest = divmod(eighths, 8)
    return "█" * full + (_EIGHTHS[rest] if rest else "")
