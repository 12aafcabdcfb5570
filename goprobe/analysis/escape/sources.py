"""The text of source files, as far as sites are told by it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping

from goprobe.files import text_or_nothing

_SOURCE_LIMIT = 64 << 20
_LOOK_BACK = 4096
_LITERAL = re.compile(r"\.func\d|-range\d")
_BELOW = 12
# What goes on with the statement before it, or can be jumped to.
_CLOSES = re.compile(r"\s*([})\]]|case\b|default\s*:|\w+\s*:\s*($|//))")


class Sources:
    """Lines of source files, read once; a file that cannot be read has none."""

    def __init__(self) -> None:
        self._lines: dict[str, list[str]] = {}
        self.digests: dict[str, str] = {}
        """Of the text of each file that was asked for."""

    def lines(self, file: str) -> list[str]:
        if file not in self._lines:
            text = text_or_nothing(file, _SOURCE_LIMIT)
            self._lines[file], self.digests[file] = text.split("\n"), _digest(text)
        return self._lines[file]

    def line(self, file: str, number: int) -> str:
        lines = self.lines(file)
        return lines[number - 1] if 0 < number <= len(lines) else ""

    def in_block_after(self, file: str, line: int) -> tuple[int, ...]:
        """Lines after one that stand in the same block of statements, by their indentation."""
        depth = _indentation(self.line(file, line))
        starts = []
        for number, text in enumerate(self.lines(file)[line : line + _BELOW], line + 1):
            if text.strip() and _indentation(text) < depth:
                break
            if _indentation(text) == depth and not _CLOSES.match(text):
                starts.append(number)
        return tuple(starts)

    def last_line(self, file: str, line: int, name: str) -> int:
        """Where a function ends as far as that matters: a literal, by its indentation, and any
        other where the next one begins."""
        lines = self.lines(file)
        if not _LITERAL.search(name):
            return len(lines)
        depth, last = _indentation(self.line(file, line)), line
        for number, text in enumerate(lines[line:], line + 1):
            if text.strip():
                if _indentation(text) <= depth:
                    return number if text.lstrip().startswith(("}", ")")) else last
                last = number
        return last

    def before(self, file: str, line: int, col: int) -> str:
        """The text before a position (`col` in bytes from 1), as far back as can matter."""
        lines = self.lines(file)
        if not 0 < line <= len(lines):
            return ""
        start = max(0, line - 60)
        head = lines[line - 1].encode()[: max(0, col - 1)].decode(errors="replace")
        return "\n".join([*lines[start : line - 1], head])[-_LOOK_BACK:]


def _indentation(text: str) -> int:
    return len(text) - len(text.lstrip())


def are_as_read(digests: Mapping[str, str]) -> bool:
    """Whether files are what they were when these digests were taken of them."""
    return all(
        _digest(text_or_nothing(file, _SOURCE_LIMIT)) == digest for file, digest in digests.items()
    )


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode(errors="replace"), digest_size=16).hexdigest()
