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
_MANY = {ClaimVerdict.HOLDS: "hold", ClaimVerdict.DIFFERS: "differ"}


def render(report: ExplainReport, options: RenderOptions) -> bytes:
    """The page, claims in the picture's order."""
    counts = []
    for verdict in ClaimVerdict:
        count = sum(claim.verdict is verdict for claim in report.claims)
        sign, tone, name = _LOOKS[verdict]
        told = name if count == 1 else _MANY.get(verdict, name)
        counts.append((sign, tone, name, told, verdict.value, count))
    return shell.page(
        "explain.html",
        f"The familiar picture of {report.target}, measured",
        report,
        options,
        claims=[(claim, *_LOOKS[claim.verdict]) for claim in report.claims],
        counts=counts,
        scene=scene(picture(report.map)),
        warnings=report.warnings,
        facts=[
            f"Measured on process {report.pid}, Go {report.go.version}, GDB "
            f"{report.gdb.version}, and on small programs beside it."
        ],
    )
