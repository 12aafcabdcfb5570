"""The page of `goprobe explain`: today's order drawn, then claim by claim what was measured."""

from __future__ import annotations

from goprobe.model.explain import ClaimVerdict, ExplainReport
from goprobe.report.html import shell
from goprobe.report.html.scene import picture, scene
from goprobe.report.options import RenderOptions

# A sign of its own for each verdict: colour alone says nothing to many.
_LOOKS = {
    ClaimVerdict.HOLDS: ("✓", "fine", "holds"),
    ClaimVerdict.DIFFERS: ("≠", "warning", "differs"),
    ClaimVerdict.NOT_OBSERVABLE: ("?", "quiet", "not observable"),
}


def render(report: ExplainReport, options: RenderOptions) -> bytes:
    """The page, claims in the picture's order."""
    counts = [
        (*_LOOKS[verdict], verdict.value, sum(c.verdict is verdict for c in report.claims))
        for verdict in ClaimVerdict
    ]
    return shell.page(
        "explain.html", f"The familiar picture of {report.target}, measured",
        claims=[(claim, *_LOOKS[claim.verdict]) for claim in report.claims], counts=counts,
        scene=scene(picture(report.map)), warnings=report.warnings,
        facts=[f"Measured on process {report.pid}, Go {report.go.version}, GDB "
               f"{report.gdb.version}, and on small programs beside it."],
    )  # fmt: skip
