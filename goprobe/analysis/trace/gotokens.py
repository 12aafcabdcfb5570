"""Go source as tokens, with the semicolons that the language puts in at line ends."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import msgspec

from goprobe.files import text_or_nothing

_FILE_LIMIT = 1 << 23
_TOKEN = re.compile(
    r"""(?P<space>[ \t\r]+|//[^\n]*)
    |(?P<comment>/\*.*?\*/)
    |(?P<newline>\n)
    |(?P<literal>"(?:\\.|[^"\\\n])*"|`[^`]*`|'(?:\\.|[^'\\\n])+'|\.?\d(?:[eEpP][+-]|[\w.])*)
    |(?P<name>[^\W\d]\w*)
    |(?P<sign><<=|>>=|&\^=|\.\.\.|&&|\|\||<-|\+\+|--|[-+*/%&|^<>=!:]=|<<|>>|&\^|.)""",
    re.VERBOSE | re.DOTALL,
)
_ENDS = frozenset(("return", "break", "continue", "fallthrough", "++", "--", ")", "]", "}"))
_KEYWORDS = frozenset(
    ("break", "case", "chan", "const", "continue", "default", "defer", "else", "fallthrough",
     "for", "func", "go", "goto", "if", "import", "interface", "map", "package", "range", "return",
     "select", "struct", "switch", "type", "var")
)  # fmt: skip


class Token(msgspec.Struct, frozen=True):
    """`name`: an identifier."""

    text: str
    line: int
    name: bool = False


@lru_cache(maxsize=16)
def tokens_of(file: str) -> tuple[Token, ...]:
    """A source file's tokens; none where it cannot be read."""
    return tuple(tokenize(source_text(file)))


def source_text(file: str) -> str:
    """A source file's text; "" where it cannot be read. What -trimpath left of a path is none: a
    file of that name here may be another."""
    return text_or_nothing(file, _FILE_LIMIT) if Path(file).is_absolute() else ""


def tokenize(text: str) -> Iterator[Token]:
    line, last = 1, ""
    for match in _TOKEN.finditer(text):
        kind, piece = match.lastgroup, match[0]
        begun = line
        line += piece.count("\n")
        if kind == "newline" or (kind == "comment" and "\n" in piece):
            if last:
                yield Token(";", begun)
            last = ""
        elif kind in ("literal", "name", "sign"):
            name = kind == "name" and piece not in _KEYWORDS
            yield Token(piece, begun, name)
            last = piece if name or kind == "literal" or piece in _ENDS else ""
