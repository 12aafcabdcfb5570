"""Arguments that are several strings: a single one would be taken letter by letter."""

from __future__ import annotations

from collections.abc import Sequence

from goprobe.errors import UsageError


def several(given: Sequence[str], what: str) -> tuple[str, ...]:
    """They as a tuple. Raises UsageError where it is one string."""
    if isinstance(given, str):
        raise UsageError(f"{what} is a list of strings, not one string", hint=f"[{given!r}]")
    return tuple(given)


def one_or_several(given: str | Sequence[str]) -> tuple[str, ...]:
    """The same, where one alone is as good."""
    return (given,) if isinstance(given, str) else tuple(given)
