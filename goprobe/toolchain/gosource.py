"""Go source with its comments, strings and runes told from its code."""

from __future__ import annotations

import re
from collections.abc import Iterator


def code_only(text: str) -> str:
    """Go source with comments blanked out and the insides of strings hidden, every line and
    column kept."""
    out: list[str] = []
    at = 0
    for token in tokens(text):
        filler = " " if token[0].startswith("/") else "_"
        out += [text[at : token.start()], _NOT_A_LINE_FEED.sub(filler, token[0])]
        at = token.end()
    return "".join([*out, text[at:]])


_NOT_A_LINE_FEED = re.compile(r"[^\n]")
_TOKEN = re.compile(
    r'//[^\n]*|/\*.*?(?:\*/|\Z)|"(?:\\.|[^"\\\n])*"|`[^`]*(?:`|\Z)|\'(?:\\.|[^\'\\\n])+\'',
    re.DOTALL,
)


def tokens(text: str) -> Iterator[re.Match[str]]:
    """Comments, strings and runes, in order."""
    return _TOKEN.finditer(text)
