"""Lengths of time as they are typed."""

from __future__ import annotations

import math
import re

from goprobe.errors import UsageError

_UNITS = {"": 1.0, "s": 1.0, "ms": 0.001, "m": 60.0, "h": 3600.0}
_LONGEST = 7 * 24 * 3600.0


def length(option: str, text: str, longest: float = _LONGEST) -> float:
    """A length of time: "30s", "5m", "1.5h", "250ms", or a number of seconds, as an option
    says it. Raises UsageError."""
    match = re.fullmatch(r"(.*?)(ms|s|m|h|)", text.strip())
    try:
        seconds = float(match[1]) * _UNITS[match[2]] if match else math.nan
    except ValueError:
        seconds = math.nan
    if not (math.isfinite(seconds) and 0 < seconds <= longest):
        raise UsageError(
            f"{option}: {text!r} is no length of time", hint="for example 30s, 5m or 1h"
        )
    return seconds
