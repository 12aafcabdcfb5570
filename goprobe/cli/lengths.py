"""Lengths of time as they are typed."""

from __future__ import annotations

import re

from goprobe.errors import UsageError

_UNITS = {"": 1.0, "s": 1.0, "ms": 0.001, "m": 60.0, "h": 3600.0}
_LONGEST = 7 * 24 * 3600.0


def length(text: str) -> float:
    """A length of time: "30s", "5m", "1.5h", "250ms", or a number of seconds."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s|m|h|)", text.strip())
    seconds = float(found[1]) * _UNITS[found[2]] if found else 0.0
    if not 0 < seconds <= _LONGEST:
        raise UsageError(f"{text!r} is no length of time", hint="for example 30s, 5m or 1h")
    return seconds
