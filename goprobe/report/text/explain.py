"""The report of `goprobe explain` in text: each claim, its verdict, what was measured."""

from __future__ import annotations

from goprobe.model.explain import Claim, ClaimVerdict, ExplainReport
from goprobe.report.options import RenderOptions
from goprobe.report.text.page import Page

_MARKS = {
    ClaimVerdict.HOLDS: ("holds", "green"),
    ClaimVerdict.DIFFERS: ("differs", "yellow"),
    ClaimVerdict.NOT_OBSERVABLE: ("not observable", "bright_black"),
}


def render(report: ExplainReport, options: RenderOptions) -> bytes:
    """First the count, then the claims in the picture's order."""
    page = Page(options)
    counts = {v: sum(c.verdict == v for c in report.claims) for v in ClaimVerdict}
    told = ", ".join(_counted(v, n) for v, n in counts.items() if n)
    page.paragraph((f"The familiar picture of {report.target}, measured", "bold"), f": {told}")
    for claim in report.claims:
        _claim(page, claim, options)
    page.blank()
    page.paragraph(
        (
            f"Measured on process {report.pid}, Go {report.go.version}, GDB {report.gdb.version}, "
            "and on small programs beside it.",
            "dim",
        )
    )
    return page.render()


def _counted(verdict: ClaimVerdict, count: int) -> str:
    word = _MARKS[verdict][0]
    return f"{count} {word if count == 1 else word.removesuffix('s')}"


def _claim(page: Page, claim: Claim, options: RenderOptions) -> None:
    word, style = _MARKS[claim.verdict]
    page.blank()
    page.paragraph((f"{claim.id:>2}. ", "dim"), claim.claim, hanging=4)
    page.paragraph((word, f"bold {style}"), f": {claim.measured}", indent=4, hanging=0)
    if options.verbose:
        for fact in claim.evidence:
            page.paragraph((fact, "dim"), indent=6, hanging=2)
