"""What a terminal makes of rendered bytes: cells per line, and whether anything raw got through.

Written without the renderer's own helpers, so that it can contradict them.
"""

from __future__ import annotations

import re
import unicodedata

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def lines(data: bytes) -> list[str]:
    """The lines without colour; the last one must be ended too."""
    text = _COLOUR.sub("", data.decode())
    assert text.endswith("\n")
    return text[:-1].split("\n")


def cells(line: str) -> int:
    """How many cells a terminal gives to a line, by the Unicode database."""
    width = 0
    for character in line:
        if unicodedata.category(character).startswith("M"):
            continue  # marks share the cell of the letter before; of spacing ones terminals differ
        if "\u1160" <= character <= "\u11ff" or "\ud7b0" <= character <= "\ud7fb":
            continue  # vowels and finals of Hangul join the syllable before (wcwidth: none)
        width += 2 if unicodedata.east_asian_width(character) in ("W", "F") else 1
    return width


def raw_characters(data: bytes) -> set[str]:
    """Characters that a terminal would obey or hide instead of show; colour is ours."""
    return {
        character
        for character in _COLOUR.sub("", data.decode())
        if character != "\n" and unicodedata.category(character) in _INVISIBLE
    }
