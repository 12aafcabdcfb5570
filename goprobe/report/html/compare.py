"""The page of `goprobe trace --compare`: what the optimiser changes, then both builds' stops."""

from __future__ import annotations

from msgspec import UNSET, UnsetType

from goprobe.model.compare import CompareReport
from goprobe.model.value import State, Variable
from goprobe.report import words
from goprobe.report.html import shell
from goprobe.report.html.evidence import EvidenceList
from goprobe.report.html.trace import facts, stop_views
from goprobe.report.options import RenderOptions
from goprobe.report.selection import value_text

_MOST = 300


def render(report: CompareReport, options: RenderOptions) -> bytes:
    """The page; the steps are those of the build without the optimiser, then those with it."""
    ledger = EvidenceList()
    own = [c for c in report.changes if c.name in options.variables]
    changes = (own or list(report.changes))[:_MOST]
    code = f"Machine code: {words.size(report.unoptimized_code)} without the optimiser, "
    return shell.page(
        "compare.html",
        "What the optimiser changes",
        report,
        options,
        ledger,
        changes=[(c, _cell(c.unoptimized, ledger), _cell(c.optimized, ledger)) for c in changes],
        inlined=report.inlined,
        code=f"{code}{words.size(report.optimized_code)} with it.",
        builds=[
            ("not optimised", stop_views(report.unoptimized, options.variables, ledger)),
            ("optimised", stop_views(report.optimized, options.variables, ledger)),
        ],
        warnings=tuple(dict.fromkeys((*report.unoptimized.warnings, *report.optimized.warnings))),
        facts=facts(report.optimized),
    )


def _cell(variable: Variable | UnsetType, ledger: EvidenceList) -> list[tuple[str, str, str, str]]:
    """Text, address, kind and evidence of each line that one build has to say."""
    if variable is UNSET:
        return [("does not show", "", "", "")]
    value = value_text(variable.type, variable.value, variable.data)
    lines = [(value, "", "", "")] if value else []
    if variable.state is not State.LIVE:
        register = "" if variable.register is UNSET else f" {variable.register}"
        lines.append((f"{variable.state.replace('_', ' ')}{register}", "", "", ""))
    data = UNSET if variable.data is UNSET else variable.data.location
    known = [where for where in (variable.location, data) if where is not UNSET]
    lines += [(w.name, str(w.address), w.kind.value, ledger.id(w)) for w in known]
    return lines
