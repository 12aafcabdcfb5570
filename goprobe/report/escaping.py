"""The only way by which a string of the target, or about it, reaches a terminal.

Names, paths, values and messages may hold anything that a hostile program put there: escape
sequences that retitle the window or answer to the shell, right-to-left overrides that show
`exe.gpj` as `jpg.exe`, bytes that are not UTF-8. All of that is shown, never obeyed. What counts
as printable is what Go's strconv.IsPrint counts: letters, marks, numbers, punctuation, symbols
and the ASCII space; str.isprintable asks exactly that. Letters that show nothing (fillers and
variation selectors, Unicode's Default_Ignorable_Code_Point) become escapes as well.
"""

from __future__ import annotations

import re

_NAMED = {"\n": "\\n", "\t": "\\t", "\r": "\\r", "\a": "\\a", "\b": "\\b", "\f": "\\f", "\v": "\\v"}
_LAST_ASCII = 0x7F
_LAST_BMP = 0xFFFF
_RAW_BYTES = range(0xDC80, 0xDD00)  # what surrogateescape makes of the bytes 0x80 to 0xff
_INVISIBLE = re.compile(
    r"[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
_NOT_ASCII = re.compile(rb"[^\x00-\x7e]+")


def escape(text: str, *, ascii_only: bool = False, keep: str = "") -> str:
    """`text` with every character that is not printable written as Go would write it.

    `keep` names characters that pass unchanged (a compiler's message keeps its line feeds);
    `ascii_only` is for terminals that cannot show more. Never raises, lone surrogates included.
    Backslashes of the text stay single: most of it was quoted by who read it already.
    """
    plain = text.isascii() or not ascii_only
    if plain and text.isprintable() and (text.isascii() or not _INVISIBLE.search(text)):
        return text
    return "".join(
        character if _passes(character, ascii_only) or character in keep else visible(character)
        for character in text
    )


def escape_json(document: bytes) -> bytes:
    r"""JSON with every unprintable character inside its strings as a `\u` escape.

    JSON itself allows U+009B (an escape sequence's beginning to many terminals), DEL and
    right-to-left overrides to stand raw. Between strings JSON is printable ASCII and line feeds.
    """
    if document.isascii() and b"\x7f" not in document:
        return document
    # Piece by piece: the whole of a large report as text takes four times its bytes.
    return _NOT_ASCII.sub(lambda match: _json_forms(match.group().decode()), document)


def _json_forms(characters: str) -> bytes:
    return "".join(map(_json_form, characters)).encode()


def visible(character: str) -> str:
    """One character as an escape sequence of a Go string literal."""
    code = ord(character)
    if character in _NAMED:
        return _NAMED[character]
    if code in _RAW_BYTES:
        return f"\\x{code - 0xDC00:02x}"
    if code <= _LAST_ASCII:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= _LAST_BMP else f"\\U{code:08x}"


def _passes(character: str, ascii_only: bool) -> bool:
    if character.isascii():
        return character.isprintable()
    return not ascii_only and character.isprintable() and not _INVISIBLE.match(character)


def _json_form(character: str) -> str:
    if character == "\n" or _passes(character, ascii_only=False):
        return character
    units = character.encode("utf-16-be")
    return "".join(f"\\u{units[i]:02x}{units[i + 1]:02x}" for i in range(0, len(units), 2))
