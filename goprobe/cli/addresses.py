"""Addresses as they are typed."""

from __future__ import annotations

from goprobe.errors import UsageError

_ADDRESS_BITS = 64


def address(text: str) -> int:
    """The address that a text stands for: 0xc000012040, or the same without 0x.

    Raises UsageError.
    """
    try:
        found = int(text.removeprefix("*"), 16)
    except ValueError:
        found = -1
    if not 0 <= found < 1 << _ADDRESS_BITS or "_" in text:
        raise UsageError(f"{text!r} is not an address", hint="addresses look like 0xc000012040")
    return found
