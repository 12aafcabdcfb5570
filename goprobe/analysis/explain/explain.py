"""Measures the claims and makes the report."""

from __future__ import annotations

from msgspec.structs import replace

from goprobe.analysis.audit import finished
from goprobe.analysis.explain.audit import audit_explain
from goprobe.analysis.explain.claims import CLAIMS
from goprobe.analysis.explain.measured import unseen
from goprobe.analysis.explain.study import ClaimStudy, shipped
from goprobe.analysis.trace.prepare import Launch
from goprobe.errors import GoprobeError, UnreadableError
from goprobe.model.explain import ExplainReport
from goprobe.model.report import Tool
from goprobe.runtime.image.goimage import head_of


def explain(launch: Launch) -> ExplainReport:
    """Every claim, measured on `launch.target` (empty: a built-in hello).

    A claim whose measurement fails is `not_observable`, with the reason. Raises BuildError,
    UsageError, NoGoError, NoGdbError where nothing can be measured at all.
    """
    builtin = not launch.target
    study = ClaimStudy(
        replace(launch, target=str(shipped("hello"))) if builtin else launch,
        builtin=builtin,
    )
    run = study.plain
    # The builds of the companions are part of measuring: nobody wants to hear of each.
    study.launch = replace(study.launch, progress=None)
    claims = []
    for number, (claim, measure) in enumerate(CLAIMS, 1):
        if launch.progress:
            launch.progress(f"measuring claim {number} of {len(CLAIMS)}")
        try:
            measured = measure(study)
        except (GoprobeError, UnreadableError) as error:
            measured = unseen(str(error), f"the measurement ended in a {type(error).__name__}")
        claims.append(measured.of(number, claim))
    if launch.progress:
        launch.progress("")
    report = ExplainReport(
        target="hello.go (built in)" if builtin else launch.target,
        **head_of(run.pid, run.program),
        gdb=Tool(run.gdb),
        claims=tuple(claims),
        map=run.map,
    )
    return finished(report, audit_explain(report))
