"""What the terminal, or whoever reads, can show: more than ASCII, or not."""

from __future__ import annotations

import os
from io import TextIOWrapper
from typing import TextIO

_UTF8 = "utf8"
_SAYS_PYTHON = ("PYTHONIOENCODING", "PYTHONUTF8")
_DUMB = ("", "dumb")
_PLAIN = ("C", "POSIX")


def speaks_utf8(stream: TextIO | None) -> bool:
    """Whether a stream takes UTF-8.

    Where the locale is C, or one that the machine does not have, Python writes UTF-8 all the same
    (PEP 540): then what the environment names decides. Where it names none, as in most containers,
    terminals speak UTF-8.
    """
    if stream is None or _bare(getattr(stream, "encoding", None) or "") != _UTF8:
        return False
    if any(os.environ.get(name) for name in _SAYS_PYTHON):
        return True
    named = next((v for n in ("LC_ALL", "LC_CTYPE", "LANG") if (v := os.environ.get(n))), "")
    language, _, charset = named.partition("@")[0].partition(".")
    return _bare(charset) == _UTF8 if charset else language not in _PLAIN


def obeys_escapes(stream: TextIO | None) -> bool:
    """Whether it is a terminal that knows more than to print one line below the other."""
    return stream is not None and stream.isatty() and os.environ.get("TERM", "") not in _DUMB


def never_fails(stream: TextIO | None) -> None:
    """From now on what a stream cannot show is escaped, visibly (help, what a session prints)."""
    if isinstance(stream, TextIOWrapper) and stream.errors == "strict":
        stream.reconfigure(errors="backslashreplace")


def _bare(charset: str) -> str:
    return charset.lower().replace("-", "")
