"""Source files as they lie on this machine when a page is written: bounded, only to be shown."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import msgspec

from goprobe.files import text_or_nothing

# A binary says where its source lies, and a hostile one says what it likes: files that are no
# source are not read, lest a page that is passed on tells what they hold.
_SOURCE = frozenset({".go", ".s", ".c", ".h", ".cc", ".cpp", ".S"})
_MOST_BYTES = 4 << 20
_MOST_COLUMNS = 400
_TAB = 4


class Line(msgspec.Struct, frozen=True):
    number: int
    text: str
    marked: bool = False
    gap: bool = False  # lines were left out before this one


class SourceExcerpts:
    """The files asked for, each read once."""

    __slots__ = ("_files",)

    def __init__(self) -> None:
        self._files: dict[str, list[str]] = {}

    def lines(self, file: str) -> list[str]:
        """The lines of a source file; none where it is not there, not source, or far too long."""
        if file not in self._files:
            self._files[file] = _read(file)
        return self._files[file]

    def around(self, file: str, marked: Iterable[int], margin: int) -> list[Line]:
        """The lines around those marked (1 is the first), `margin` lines either side."""
        lines, wanted = self.lines(file), set(marked)
        shown = sorted(
            {n for m in wanted for n in range(m - margin, m + margin + 1) if 1 <= n <= len(lines)}
        )
        shown_lines: list[Line] = []
        last = 0
        for number in shown:
            gap = number != last + 1
            shown_lines.append(Line(number, lines[number - 1], number in wanted, gap))
            last = number
        return shown_lines


def _read(file: str) -> list[str]:
    try:
        path = Path(file).resolve()
    except (OSError, ValueError, RuntimeError):
        return []
    text = text_or_nothing(path, _MOST_BYTES, "surrogateescape") if path.suffix in _SOURCE else ""
    if not text:
        return []
    return [line.rstrip("\r").expandtabs(_TAB)[:_MOST_COLUMNS] for line in text.split("\n")]
