"""The page that text reports are written on: the only file that draws with rich.

Every string put on a page goes through `escape`, whoever wrote it: what the target holds cannot
reach the terminal any other way. No line is wider than the page.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
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


class _Drawn(msgspec.Struct, frozen=True, eq=False):
    """Lines that stand on a page as often as it names them: they are written once."""

    lines: list[Line]


Line = Text | str | _Drawn
"""What is on a page: a styled line; one without styles that is fit for a terminal and no wider than
the page; or many that are repeated."""


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
        self._lines: list[Line] = []
        self._drawn: dict[Hashable, _Drawn] = {}
        self._short: dict[str, str] = {}
        self._named: dict[str, str] = {}
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
            self._short, self._named = short_paths(names), {}

    def named(self, name: str) -> str:
        """What a function, type or variable is called on this page."""
        if not self._short:
            return name
        told = self._named.get(name)
        if told is None:
            told = self._named[name] = shortened(name, self._short)
        return told

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
        drawn = self._drawn.get(key)
        if drawn is None:
            begun = len(self._lines)
            draw()
            drawn = self._drawn[key] = _Drawn(self._lines[begun:])
            del self._lines[begun:]
        if drawn.lines:
            self._lines.append(drawn)

    def blank(self) -> None:
        if self._lines and not _is_blank(self._lines[-1]):
            self._lines.append("")

    def line(self, *spans: Span, indent: int = 0) -> None:
        """One line; what does not fit is cut, and the cut shows."""
        self._lines.append(_beside(" " * indent, self.fit(self.text(*spans), self.width - indent)))

    def paragraph(self, *spans: Span, indent: int = 0, hanging: int = 0) -> None:
        """Lines as many as it takes; all but the first are `hanging` cells further in."""
        room = self.width - indent - hanging
        if (plain := self._unstyled(spans, room)) is not None:
            self._lines.append(" " * indent + plain)
            return
        for number, line in enumerate(self.wrap(self.text(*spans), room)):
            self._lines.append(_beside(" " * (indent + (hanging if number else 0)), line))

    def _unstyled(self, spans: Sequence[Span], room: int) -> str | None:
        """Spans without styles where they are fit for a terminal as they are, and for one line."""
        if self.options.colour:
            return None
        plain = "".join([span if isinstance(span, str) else span[0] for span in spans])
        as_is = len(plain) <= room and plain.isascii() and plain.isprintable()
        return plain if as_is else None

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
            lines = [part for line in self._flat() for part in self.wrap(line, self.width)]
            self._console.print(Text("\n", end="\n").join(lines), soft_wrap=True)
            return self._encoded(self._out.getvalue())
        return b"".join(self._written(self._lines, {}))

    def _flat(self) -> Iterator[Text]:
        for line in _flattened(self._lines):
            yield Text(line, end="") if isinstance(line, str) else line

    def _written(self, lines: Iterable[Line], known: dict[int, bytes]) -> Iterator[bytes]:
        """Lines without colours; of those that are repeated `known` has the bytes."""
        for line in lines:
            if isinstance(line, str):
                yield f"{line}\n".encode("ascii")
            elif isinstance(line, Text):
                parts = [f"{part.plain}\n" for part in self.wrap(line, self.width)]
                yield self._encoded("".join(parts))
            else:
                if id(line) not in known:
                    known[id(line)] = b"".join(self._written(line.lines, known))
                yield known[id(line)]

    def _encoded(self, text: str) -> bytes:
        return text.encode("ascii" if self._ascii else "utf-8")

    def _cell(self, text: Text, width: int, column: Column, alike: frozenset[str]) -> list[Text]:
        if not column.elastic:
            return [self.fit(text, width)]
        if column.cut and text.plain not in alike:
            return [self._cut(text, width, column)]
        return self.wrap(text, width)


def _is_blank(line: Line) -> bool:
    if isinstance(line, _Drawn):
        return _is_blank(line.lines[-1])
    return not (line if isinstance(line, str) else line.plain)


def _flattened(lines: Iterable[Line]) -> Iterator[Text | str]:
    for line in lines:
        if isinstance(line, _Drawn):
            yield from _flattened(line.lines)
        else:
            yield line


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
