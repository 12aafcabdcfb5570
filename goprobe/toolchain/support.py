"""Which releases of Go and GDB goprobe was tested with, and what to say of others."""

from __future__ import annotations

import re

# What is tested (scripts/lib/toolchains.py has each release), and so is promised.
OLDEST_GO, NEWEST_GO = (1, 21), (1, 27)
OLDEST_GDB, NEWEST_GDB = (13,), (18,)

Version = tuple[int, ...]


def go_warning(version: str) -> str:
    """One sentence where `version` ("1.27.3") is outside of the tested window, else ""."""
    return _warning("Go", version, OLDEST_GO, NEWEST_GO)


def gdb_warning(version: str) -> str:
    """The same for GDB ("18.1")."""
    return _warning("GDB", version, OLDEST_GDB, NEWEST_GDB)


def _warning(name: str, version: str, oldest: Version, newest: Version) -> str:
    numbers = tuple(int(number) for number in re.findall(r"\d+", version)[: len(oldest)])
    tested = f"{name} {_text(oldest)} to {_text(newest)}"
    if len(numbers) < len(oldest):
        return (
            f"{name} {version} is a version that goprobe does not know; it is tested with {tested}"
        )
    if numbers < oldest:
        return f"{name} {version} is too old: goprobe is tested with {tested}, so trust this less"
    if numbers > newest:
        return (
            f"{name} {version} is newer than goprobe, which is tested with {tested}: "
            "look for a newer goprobe, and until then trust this less"
        )
    return ""


def _text(version: Version) -> str:
    return ".".join(map(str, version))
