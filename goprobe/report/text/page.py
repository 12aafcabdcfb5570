"""The page that text reports are written on: the only file that draws with rich.

Every string put on a page goes through `escape`, whoever wrote it: what the target holds cannot
reach the terminal any other way. No line is wider than the page.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterable, Sequence
from io import StringIO

import msgspec
import rich.text
from rich.console import Console
from rich.text import Text

from goprobe.report.escaping import escape, visible
from goprobe.report.options import RenderOptions
from goprobe.report.text.glyphs import ASCII, UNICODE
from goprobe.report.words import short_paths, shortened

# Skin tones: some terminals join them to the sign before, others give them two cells.
_MODIFIER = re.compile("[\U0001f3fb-\U0001f3ff]")

GAP = 2
_LEAST_ENDS = 6  # of a text that is cut in the middle
_NARROWEST = 20
_WIDEST = 100  # lines wider than this are hard to follow with the eye

Span = str | tuple[str, str]
"""A piece of text, plain or with a style ("bold", "dim cyan")."""


class Column(msgspec.Struct, frozen=True):
    """A column of a table.

    One that is `elastic` gives up its width first, down to `least` cells, and wraps; or, with
    `cut`, ends in an ellipsis, which with `amid` stands in the middle, as both ends tell names
    apart. Cells that are different and would look alike wrap all the same.
    """

    right: bool = False
    elastic: bool = False
    cut: bool = False
    amid: bool = False
    least: int = 8


class Page:
    """Lines of text, `width` cells wide at most."""

    def __init__(self, options: RenderOptions) -> None:
        self.options = options
        self.width = max(options.width, _NARROWEST)
        self.glyphs = UNICODE if options.unicode else ASCII
        self._ascii = not options.unicode
        self._lines: list[Text] = []
        self._blank = Text(end="")
        self._drawn: dict[Hashable, list[Text]] = {}
        self._short: dict[str, str] = {}
        self._out = StringIO()
        self._console = Console(
            file=self._out,
            width=self.width,
            force_terminal=options.colour,
            color_system="standard" if options.colour else None,
            no_color=not options.colour,
            legacy_windows=False,
            markup=False,
            emoji=False,
            highlight=False,
        )

    def bar(self, amount: float, whole: float, cells: int) -> str:
        """`amount` of `whole` as a bar of at most `cells` cells; something is never nothing."""
        if amount <= 0 or whole <= 0 or cells <= 0:
            return ""
        steps = len(self.glyphs.eighths) or 1
        length = max(round(min(amount / whole, 1.0) * cells * steps), 1)
        full, rest = divmod(length, steps)
        return self.glyphs.bar * full + (self.glyphs.eighths[rest] if rest else "")

    def shorten(self, names: Iterable[str]) -> None:
        """From here on package paths in names are as short as they stay clear among these; with
        `verbose` they stay whole."""
        if not self.options.verbose:
            self._short = short_paths(names)

    def named(self, name: str) -> str:
        """What a function, type or variable is called on this page."""
        return shortened(name, self._short) if self._short else name

    def text(self, *spans: Span) -> Text:
        """Spans as one styled text, every character of it fit for a terminal."""
        parts: list[str] = []
        styled: list[rich.text.Span] = []
        at = 0
        for span in spans:
            words, style = (span, "") if isinstance(span, str) else span
            shown = escape(words, ascii_only=self._ascii)
            if not shown.isascii():
                shown = _MODIFIER.sub(lambda match: visible(match.group()), shown)
            parts.append(shown)
            if style and self.options.colour:
                styled.append(rich.text.Span(at, at + len(shown), style))
            at += len(shown)
        return Text("".join(parts), end="", spans=styled)

    def once(self, key: Hashable, draw: Callable[[], None]) -> None:
        """What `draw` puts on the page; of the same key it is drawn once, and then repeated."""
        if key not in self._drawn:
            begun = len(self._lines)
            draw()
            self._drawn[key] = self._lines[begun:]
        else:
            self._lines += self._drawn[key]

    def blank(self) -> None:
        if self._lines and self._lines[-1].plain:
            self._lines.append(self._blank)

    def line(self, *spans: Span, indent: int = 0) -> None:
        """One line; what does not fit is cut, and the cut shows."""
        self._lines.append(_beside(" " * indent, self.fit(self.text(*spans), self.width - indent)))

    def paragraph(self, *spans: Span, indent: int = 0, hanging: int = 0) -> None:
        """Lines as many as it takes; all but the first are `hanging` cells further in."""
        text = self.text(*spans)
        for number, line in enumerate(self.wrap(text, self.width - indent - hanging)):
            self._lines.append(_beside(" " * (indent + (hanging if number else 0)), line))

    def heading(self, words: str, *rest: Span) -> None:
        self.blank()
        self.paragraph((words, "bold"), *rest, hanging=GAP)

    def following(self, lines: Iterable[tuple[str, str]]) -> None:
        """What to type next, each line with what it shows; nothing where there is none."""
        shown = tuple(lines)
        if shown:
            self.heading("Next")
        for line, meaning in shown:
            self.paragraph(line, (f"  {meaning}", "dim"), indent=GAP, hanging=GAP)

    def table(
        self,
        rows: Iterable[Sequence[Text]],
        columns: Sequence[Column],
        indent: int = 0,
        gap: int = GAP,
        *,
        fill: bool = False,
        below: Sequence[Sequence[Text]] = (),
    ) -> None:
        """Rows of cells (made by `text`) under one another, as wide as they need to be.

        `below` has, for each row, paragraphs that go under it, indented to the second column. With
        `fill` an elastic column takes what room is left, so that what stands right of it
        lines up from one table to the next.
        """
        table = list(rows)
        margins = [indent, *(gap for _ in columns[1:])]
        widths = _widths(table, columns, self.width - sum(margins))
        if fill and table:
            _fill(widths, columns, min(self.width, _WIDEST) - sum(margins))
        alike = [
            self._alike([row[i] for row in table], widths[i], column)
            for i, column in enumerate(columns)
        ]
        for i, row in enumerate(table):
            cells = [self._cell(*part) for part in zip(row, widths, columns, alike, strict=True)]
            for number in range(max(len(cell) for cell in cells)):
                self._lines.append(_row_line(cells, widths, columns, number, margins))
            left = indent + widths[0] + gap
            for note in below[i] if i < len(below) else ():
                lines = self.wrap(note, self.width - left)
                self._lines += [_beside(" " * left, line) for line in lines]

    def fit(self, text: Text, width: int) -> Text:
        """The text, cut to `width` cells with an ellipsis where it is longer."""
        if _fits(text, width):
            return text
        mark = self.glyphs.cut[: max(width, 0)]
        kept = text.copy()
        kept.truncate(max(width - len(mark), 0), overflow="crop")
        kept.rstrip()
        kept.append(mark, style="dim")
        return kept

    def _cut(self, text: Text, width: int, column: Column) -> Text:
        """The text, a part of it left out where it is longer."""
        mark = self.glyphs.cut
        room = width - len(mark)
        if not column.amid or room < _LEAST_ENDS or _fits(text, width) or _is_wide(text):
            return self.fit(text, width)
        tail = room // 2
        kept = text[: room - tail]
        kept.append(mark, style="dim")
        return kept.append_text(text[len(text.plain) - tail :])

    def _alike(self, cells: Sequence[Text], width: int, column: Column) -> frozenset[str]:
        """Those of different cells that nobody could tell apart once they are cut."""
        if not column.cut:
            return frozenset()
        long = {cell.plain: cell for cell in cells if not _fits(cell, width)}
        shown: dict[str, list[str]] = {}
        for plain, cell in long.items():
            shown.setdefault(self._cut(cell, width, column).plain, []).append(plain)
        return frozenset(plain for same in shown.values() if len(same) > 1 for plain in same)

    def wrap(self, text: Text, width: int) -> list[Text]:
        """The text in lines of at most `width` cells; words longer than that are broken."""
        if _fits(text, width):
            return [text]
        lines = text.wrap(self._console, max(width, 1), overflow="fold")
        return [_stripped(line) for line in lines] or [Text(end="")]

    def render(self) -> bytes:
        """The page as bytes; characters that its encoding lacks have been replaced already."""
        if self.options.colour:
            lines = [part for line in self._lines for part in self.wrap(line, self.width)]
            self._console.print(Text("\n", end="\n").join(lines), soft_wrap=True)
            text = self._out.getvalue()
        else:
            once = {id(line): line for line in self._lines}  # many stand there more than once
            plain = {at: self._plain(line) for at, line in once.items()}
            text = "".join([plain[id(line)] for line in self._lines])
        return text.encode("ascii" if self._ascii else "utf-8")

    def _plain(self, line: Text) -> str:
        return "".join([f"{part.plain}\n" for part in self.wrap(line, self.width)])

    def _cell(self, text: Text, width: int, column: Column, alike: frozenset[str]) -> list[Text]:
        if not column.elastic:
            return [self.fit(text, width)]
        if column.cut and text.plain not in alike:
            return [self._cut(text, width, column)]
        return self.wrap(text, width)


def _fits(text: Text, width: int) -> bool:
    plain = text.plain
    return len(plain) <= width if plain.isascii() else text.cell_len <= width


def _is_wide(text: Text) -> bool:
    return text.cell_len != len(text.plain)


def _beside(margin: str, text: Text) -> Text:
    return Text(margin, end="").append_text(text) if margin else text


def _stripped(line: Text) -> Text:
    line.rstrip()
    line.end = ""
    return line


def _widths(rows: Sequence[Sequence[Text]], columns: Sequence[Column], available: int) -> list[int]:
    """Each column as wide as its widest cell; where that is too much, the widest elastic yields."""
    widths = [max((row[i].cell_len for row in rows), default=0) for i in range(len(columns))]
    widths = [min(width, available) for width in widths]
    for yielding in (True, False):
        chosen = [i for i, column in enumerate(columns) if column.elastic or not yielding]
        least = [columns[i].least if yielding else 1 for i in range(len(columns))]
        while sum(widths) > available:
            able = [i for i in chosen if widths[i] > least[i]]
            if not able:
                break
            widest = max(able, key=lambda i: widths[i])
            widths[widest] -= 1
    return widths


def _fill(widths: list[int], columns: Sequence[Column], available: int) -> None:
    stretched = max(i for i, column in enumerate(columns) if column.elastic)
    widths[stretched] += max(available - sum(widths), 0)


def _row_line(
    cells: Sequence[Sequence[Text]],
    widths: Sequence[int],
    columns: Sequence[Column],
    number: int,
    margins: Sequence[int],
) -> Text:
    """Line `number` of a row: each cell's own line of that number, or room for it."""
    line = Text(end="")
    for cell, width, column, margin in zip(cells, widths, columns, margins, strict=True):
        line.append(" " * margin)
        part = cell[number] if number < len(cell) else Text(end="")
        room = " " * max(width - part.cell_len, 0)
        if column.right:
            line.append(room)
        line.append_text(part)
        if not column.right:
            line.append(room)
    return _stripped(line)
