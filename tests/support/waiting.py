"""Waiting for a condition, not for a time."""

from __future__ import annotations

import time
from collections.abc import Callable


def until(holds: Callable[[], object], what: str, *, seconds: float = 10.0) -> None:
    """Look again and again; AssertionError where it did not come to hold within `seconds`."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, f"not within {seconds:g} s: {what}"
        time.sleep(0.005)
