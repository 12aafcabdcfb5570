"""`goprobe escape` as a gate: one program by several compilers, or since an older report."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import MsgspecError
from msgspec.structs import replace

from goprobe.analysis.escape.askedfor import is_file_named
from goprobe.analysis.escape.escape import EscapeRequest, escape
from goprobe.analysis.escape.policy import Policy
from goprobe.errors import UsageError
from goprobe.files import read_regular
from goprobe.model.codec import from_json
from goprobe.model.escape import SCHEMA, EscapeReport, Site, Verdict

_REPORT_LIMIT = 1 << 30


def escape_report(path: str) -> EscapeReport:
    """A report that was written with --json. Raises UsageError."""
    report: EscapeReport | None
    try:
        data = read_regular(path, _REPORT_LIMIT, what="report of goprobe escape", pipes=True)
        report = from_json(data, EscapeReport)
    except MsgspecError:
        report = None
    if report is None or report.schema != SCHEMA:
        raise UsageError(
            f"{path} is no report of goprobe escape",
            hint="goprobe escape PACKAGE --baseline FILE --write-baseline writes one",
        )
    return report


def differing(old: str, new: str, policy: Policy) -> EscapeReport:
    """The newer report, with what changed since the older one."""
    from goprobe.analysis.escape.changes import compared

    report = escape_report(new)
    return replace(report, comparisons=(compared(escape_report(old), report, old, policy),))


def gated(
    request: EscapeRequest, releases: Sequence[str], baseline: str, policy: Policy
) -> EscapeReport:
    """The report by the last of the Go `releases`, held against those by the others and against the
    baseline. Raises as `escape`, and UsageError."""
    old = escape_report(baseline) if baseline else None
    *others, last = list(releases) or [request.go]
    before = [escape(replace(request, go=go)) for go in others]
    report = escape(replace(request, go=last))
    # Brings along what escape() loads while Go works.
    from goprobe.analysis.escape.changes import compared

    comparisons = [compared(r, report, f"Go {r.go.version}", policy) for r in before]
    if old is not None:
        comparisons.append(compared(old, report, baseline, policy))
    return replace(report, comparisons=tuple(comparisons))


def part(report: EscapeReport, only: Sequence[Verdict], files: Sequence[str]) -> EscapeReport:
    """The report with its sites of these verdicts, in files of these names, alone; the summary
    stays that of the whole. Raises UsageError where no file of the report has such a name."""
    if not only and not files:
        return report
    there = {site.file for site in report.sites}
    for pattern in files:
        if not any(is_file_named(file, pattern) for file in there):
            raise UsageError(f"--file {pattern}: no file of the report has that name")

    def wanted(site: Site) -> bool:
        if only and site.verdict not in only:
            return False
        return not files or any(is_file_named(site.file, pattern) for pattern in files)

    said = [f"of {', '.join(only)}"] if only else []
    said += [f"in {', '.join(files)}"] if files else []
    sites = tuple(site for site in report.sites if wanted(site))
    return replace(report, sites=sites, shown=f"only sites {' '.join(said)}")
