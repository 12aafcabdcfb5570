"""Addresses as they are typed."""

from __future__ import annotations

from string import hexdigits
from typing import TYPE_CHECKING

from goprobe.cli.run import say
from goprobe.errors import UsageError
from goprobe.process.proc.maps import find, read_maps

if TYPE_CHECKING:
    from goprobe.target.live import AnyTarget

_ADDRESS_BITS = 64


def settled(text: str, target: AnyTarget) -> int:
    """The address that a text stands for in a process, and a word on stderr where it could be
    read in two ways: Go prints a uintptr in decimal, /proc/PID/maps leaves 0x out.

    Raises UsageError where both readings lead to memory.
    """
    hexadecimal = address(text)
    digits = text.removeprefix("*")
    decimal = int(digits) if digits.isascii() and digits.isdecimal() else hexadecimal
    if decimal == hexadecimal or digits.startswith("0"):
        return hexadecimal
    mappings = target.core.mappings if target.is_core else read_maps(target.pid)
    there = [find(mappings, at) is not None for at in (decimal, hexadecimal)]
    if all(there):
        raise UsageError(
            f"{digits} is an address both as decimal ({decimal:#x}) and as hexadecimal",
            hint=f"write {decimal:#x} or 0x{digits}",
        )
    chosen, how = (hexadecimal, "hexadecimal") if there[1] else (decimal, "decimal")
    say(f"goprobe: {digits} is read as {how}: {chosen:#x}")
    return chosen


def address_or_name(text: str) -> int | str:
    """The address, or the name of a variable or type, that a text stands for.

    Raises UsageError where it is meant for an address and is none.
    """
    digits = text.removeprefix("*")
    by_number = digits[:1].isdecimal() or all(c in hexdigits for c in digits)
    return address(text) if by_number or not text.isprintable() else text


def address(text: str) -> int:
    """The address that a text stands for: 0xc000012040, or the same without 0x.

    Raises UsageError.
    """
    try:
        value = int(text.removeprefix("*"), 16)
    except ValueError:
        value = -1
    if not 0 <= value < 1 << _ADDRESS_BITS or "_" in text:
        raise UsageError(f"{text!r} is not an address", hint="addresses look like 0xc000012040")
    return value
