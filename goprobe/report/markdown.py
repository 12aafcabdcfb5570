"""Reports of `goprobe escape` as Markdown: the summary of a pull request or of a job."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from goprobe.model.escape import Comparison, EscapeReport, Verdict
from goprobe.report import words as counting
from goprobe.report.changewords import SIGNS, told
from goprobe.report.escaping import escape
from goprobe.report.findings import Level, findings, from_root
from goprobe.report.options import RenderOptions
from goprobe.report.verdicts import passed_over, words

_MOST = 50
_SIGNS = {Level.ERROR: "❌", Level.WARNING: "⚠"}
_SPECIAL = "\\`*_{}[]#|~"


class MarkdownFormat:
    name = "markdown"

    def handles(self, report_type: type) -> bool:
        return report_type is EscapeReport

    def render(self, report: object, options: RenderOptions) -> bytes:
        """Faults first, then what changed, then the counts."""
        assert isinstance(report, EscapeReport)
        return ("\n".join(_lines(report)) + "\n").encode("utf-8", "replace")


def _lines(report: EscapeReport) -> Iterator[str]:
    made = findings(report)
    grave = sum(f.level is Level.ERROR for f in made)
    state = f"{counting.counted(grave, 'failure')}" if grave else "nothing failed"
    yield f"### goprobe escape: {state}"
    yield ""
    kept = sum(a.held for a in report.assertions)
    if report.assertions:
        yield f"{kept} of {counting.counted(len(report.assertions), 'promise')} held."
        yield ""
    if report.passed_over.promises:
        yield _text(passed_over(report.passed_over))
        yield ""
    if report.partial:
        yield f"**Not seen to the end:** {_text(report.partial)}"
        yield ""
    rows = [
        (
            _SIGNS[f.level],
            _place(f.file, f.line),
            f"**{_text(f.title)}**<br>{_text(f.message)}",
        )
        for f in made
    ]
    yield from _table(("", "where", "what"), rows)
    for comparison in report.comparisons:
        yield from _comparison(report, comparison)
    yield "<details><summary>All places that need memory</summary>"
    yield ""
    counts = [(words(Verdict(v)), counting.number(n)) for v, n in report.summary.items()]
    yield from _table(("what happened", "places"), counts)
    yield "</details>"


def _comparison(report: EscapeReport, comparison: Comparison) -> Iterator[str]:
    yield f"#### Since {_text(comparison.against)}"
    yield ""
    rows = [
        (
            f"`{SIGNS[change.kind]}`",
            _place(from_root(report, change.file), change.line),
            f"{_code(change.expression)}: {_text(told(change))}",
        )
        for change in comparison.changes
    ]
    yield from _table(("", "where", "what changed"), rows)
    yield f"{counting.counted(comparison.same, 'place')} as before."
    yield ""


def _table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """A table of so many rows; how many more there are is told below."""
    if not rows:
        return
    yield f"| {' | '.join(titles)} |"
    yield f"|{'---|' * len(titles)}"
    for row in rows[:_MOST]:
        yield f"| {' | '.join(row)} |"
    if len(rows) > _MOST:
        yield ""
        yield f"… and {counting.number(len(rows) - _MOST)} more."
    yield ""


def _place(file: str, line: int) -> str:
    return _code(f"{file}:{line}") if file else ""


def _code(text: str) -> str:
    """Text as code, in a table: a bar ends a cell there too, and a backtick the code."""
    return f"`{escape(text).replace('`', chr(39)).replace('|', chr(92) + '|')}`"


def _text(text: str) -> str:
    plain = escape(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return "".join(f"\\{c}" if c in _SPECIAL else c for c in plain)
