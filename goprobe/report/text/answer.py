"""The answer of a trace: each variable asked for, where it lies, where its bytes lie."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec
from msgspec import UNSET
from rich.text import Text

from goprobe.model.trace import TraceReport
from goprobe.model.value import State, Variable
from goprobe.report import words
from goprobe.report.picture import Mark
from goprobe.report.selection import Node, Pick, sentence
from goprobe.report.text.look import STATE_WORDS, style_of
from goprobe.report.text.page import Column, Page, Span

_INDENT = 2
_GONE = (State.OPTIMIZED_OUT, State.CONSTANT)
_MOST_MARKS = 8
_MOST_GONE = 6
_MARK_LENGTH = 24
_BESIDE = (
    Column(elastic=True, cut=True, least=38),
    Column(elastic=True, least=20),
    Column(right=True),
)
_BELOW = (Column(elastic=True, least=20), Column(right=True))
_ROOM_FOR_BESIDE = 76
_ADDRESS = 16  # cells of an address and the gap before it


class _Row(msgspec.Struct, frozen=True):
    """A line of a tree; `below` are the branches that pass by under it."""

    what: Text
    where: Text
    address: Text
    below: str = ""


def write(page: Page, report: TraceReport, picks: Sequence[Pick], asked: Sequence[str]) -> None:
    """The trees of the variables, and for a single one the answer as a sentence before it.

    `asked` are the names that the reader gave.
    """
    if not picks:
        told, then = _without(report, asked)
        page.paragraph((told, "bold"))
        page.paragraph(then)
        return
    if len(picks) == 1:
        page.paragraph((sentence(picks[0]), "bold"))
    else:
        page.line(("Where they live", "bold"), f", at {picks[0].stop.function}:")
    page.blank()
    _table(page, [row for pick in picks for row in _rows(page, pick)])
    _say_what_is_gone(page, picks)


def _without(report: TraceReport, asked: Sequence[str]) -> tuple[str, str]:
    """Why there is no variable to show, and what may be done."""
    if report.binary.stripped:
        told = "No variables: the binary is stripped of what describes them."
        return told, "Build it without -s and -w, or trace its source."
    states = {variable.state for stop in report.stops for variable in stop.variables}
    if not asked and report.binary.optimized and states == {State.OPTIMIZED_OUT}:
        told = "No variable can be told at these stops of the optimised program."
        return told, "Trace the unoptimised build, or stop elsewhere with --break FILE:LINE."
    named = (
        f" called {words.listed(list(asked), 'or')} is in scope" if asked else " has a value yet"
    )
    told = f"No variable{named} at these stops."
    return told, "Stop at a later line with --break FILE:LINE."


def _say_what_is_gone(page: Page, picks: Sequence[Pick]) -> None:
    """What the optimiser left no variable of, and how its value was found all the same."""
    chosen = [pick.variable for pick in picks if pick.variable.value is not UNSET]
    names = {pick.variable.name for pick in picks}
    others = [v for v in picks[0].stop.variables if v.name not in names and _of_main(v)]
    innermost: dict[str, Variable] = {}  # of a recursive function's, one
    for variable in (*chosen, *others):
        innermost.setdefault(variable.name, variable)
    gone = [v for v in innermost.values() if v.state in _GONE and v.why]
    shown = gone if page.options.verbose else gone[:_MOST_GONE]
    for variable in shown:
        told = f"{variable.name} is {STATE_WORDS[variable.state]}: {variable.why}"
        page.paragraph((told, "dim"), indent=_INDENT, hanging=_INDENT)
    if len(shown) < len(gone):
        names_left = words.listed([v.name for v in gone[len(shown) :]])
        told = f"the optimiser left no variable of these either: {names_left}"
        page.paragraph((told, "dim"), indent=_INDENT, hanging=_INDENT)


def _of_main(variable: Variable) -> bool:
    return variable.function.startswith("main.")


def marks(picks: Sequence[Pick]) -> list[Mark]:
    """What of the answer is to be shown in the picture of memory."""
    placed = [
        (node, pick.variable.name)
        for pick in picks
        for node in pick.node.walk()
        if node.address is not UNSET and node.location is not UNSET
    ]
    # Where there are many, the variables themselves go first, then the ends of their threads.
    placed.sort(key=lambda pair: (not pair[0].name, bool(pair[0].children)))
    chosen = [Mark(int(node.address or 0), _mark_label(node, name)) for node, name in placed]
    return list(dict.fromkeys(chosen))[:_MOST_MARKS]


def _mark_label(node: Node, variable: str) -> str:
    if node.name:
        return f"{node.name}'s header" if " header" in node.what else node.name
    if node.value.startswith('"'):
        return node.value if len(node.value) <= _MARK_LENGTH else f'{node.value[:_MARK_LENGTH]}…"'
    what = node.what.rpartition(", ")[0] or node.what or "data"
    return f"{what} of {variable}"


def _table(page: Page, rows: list[_Row]) -> None:
    """Places beside the things, or below them where the page is narrow."""
    if page.width >= _ROOM_FOR_BESIDE:
        cells = [[row.what, row.where, row.address] for row in rows]
        page.table(cells, _BESIDE, indent=_INDENT, fill=True)
        return
    lines = []
    for row in rows:
        lines.append([row.what, row.address])
        stem = page.text((row.below, "dim"), "  ")
        parts = page.wrap(row.where, page.width - _INDENT - _ADDRESS - stem.cell_len)
        lines += [[stem.copy().append_text(p), page.text()] for p in parts if p.plain]
    page.table(lines, _BELOW, indent=_INDENT, fill=True)


def _rows(page: Page, pick: Pick) -> list[_Row]:
    variable = pick.variable
    if variable.value is UNSET:
        why = variable.why or STATE_WORDS[variable.state]
        what = page.text((variable.name, "bold"), f"  {variable.type}")
        return [_Row(what, page.text((why, "italic")), page.text())]
    return list(_lines(page, pick.node, "", "", root=True))


def _lines(page: Page, node: Node, lead: str, below: str, *, root: bool) -> Iterator[_Row]:
    """The node's row, then its children's; `lead` and `below` are the branches drawn so far."""
    stem = below + (page.glyphs.pipe if node.children else "")
    yield _node_row(page, node, lead, stem, root=root)
    if page.options.verbose and node.location is not UNSET:
        for fact in node.location.evidence:
            told = page.text((f"{page.glyphs.dot} {fact}", "dim"))
            yield _Row(page.text((stem, "dim")), told, page.text(), stem)
    count = len(node.children)
    for number, child in enumerate(node.children, 1):
        last = number == count and not node.left_out
        branch = page.glyphs.last if last else page.glyphs.branch
        under = " " * len(page.glyphs.pipe) if last else page.glyphs.pipe
        yield from _lines(page, child, below + branch, below + under, root=False)
    if node.left_out:
        more = page.text((f"{below}{page.glyphs.last}and {node.left_out} more", "dim"))
        yield _Row(more, page.text(), page.text())


def _node_row(page: Page, node: Node, lead: str, stem: str, *, root: bool) -> _Row:
    what: list[Span] = [(lead, "dim")]
    if node.name:
        what += [(node.name, "bold" if root else ""), "  "]
    if node.value:
        what += [(node.value, "bold"), "  "]
    what.append((node.what, "dim"))
    where = "" if node.location is UNSET else node.location.name
    if node.register:
        where = f"register {node.register}" + (f", {where}" if where else "")
    address = "" if node.address is UNSET else str(node.address)
    style = style_of(node.location)
    return _Row(page.text(*what), page.text((where, style)), page.text((address, style)), stem)
