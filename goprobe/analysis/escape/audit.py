"""What holds of `goprobe escape`: counts of calls, results and verdicts against one another."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from msgspec import UNSET

from goprobe.analysis.audit import audited, check
from goprobe.model.escape import OF_PANICS, Call, EscapeReport, ProofVerdict, Site
from goprobe.model.report import Audited


@check("the summary counts every site's verdict")
def summary_adds_up(report: EscapeReport) -> Iterator[str]:
    counted = Counter(str(site.verdict) for site in report.sites)
    if counted != Counter(report.summary):
        yield f"the summary says {dict(report.summary)}, the sites {dict(counted)}"


@check("a site's outcomes are those of the results that were looked at")
def outcomes_add_up(report: EscapeReport) -> Iterator[str]:
    for site in report.sites:
        if (seen := sum(o.count for o in site.outcomes)) != site.inspected and site.outcomes:
            yield f"{named(site)}: {seen} outcomes of {site.inspected} inspected results"
        for o in site.outcomes:
            if o.count <= 0 or o.bytes < 0 or not 0 <= o.opened <= o.count:
                yield f"{named(site)}: {o.count} {o.kind} of {o.bytes} bytes, {o.opened} opened"


@check("a site was hit as often as its calls, and no result is more than a hit")
def hits_add_up(report: EscapeReport) -> Iterator[str]:
    for site in report.sites:
        if (hits := sum(c.hits for c in site.calls if not _is_entry(c))) > site.hits:
            yield f"{named(site)}: {hits} calls, {site.hits} hits"
        if site.inspected > site.hits:
            yield f"{named(site)}: {site.inspected} results inspected of {site.hits} hits"


@check("nothing that was not run has hits")
def unrun_unhit(report: EscapeReport) -> Iterator[str]:
    for site in report.sites:
        if site.hits and not report.ran:
            yield f"{named(site)} has {site.hits} hits, and nothing was run"


def _is_entry(call: Call) -> bool:
    """An entry of a map literal: the literal is made once, with each of them."""
    return ".mapassign" in call.callee


@check("what was allocated at a site was allocated in its calls")
def allocations_add_up(report: EscapeReport) -> Iterator[str]:
    for site in report.sites:
        made = sum(c.allocations for c in site.calls)
        if report.ran and site.calls and site.allocations != made:
            yield f"{named(site)}: {site.allocations} objects, {made} in its calls"
        for call in site.calls:
            if call.blocks > max(call.allocations, 0):
                yield f"{named(site)}: {call.blocks} blocks began with {call.allocations} objects"


@check("what is proved not to happen was not seen to happen")
def proofs_fit_the_run(report: EscapeReport) -> Iterator[str]:
    for promise in report.assertions:
        proof = promise.proof
        if proof is UNSET or OF_PANICS in proof.exempt:
            continue
        if proof.verdict is ProofVerdict.PROVED and not promise.held:
            yield f"{promise.file}:{promise.line} {promise.text} is proved, and {promise.why}"


def named(site: Site) -> str:
    return f"{site.file}:{site.line}:{site.col} {site.expression}"


def audit_escape(report: EscapeReport) -> tuple[Audited, ...]:
    checks = (
        summary_adds_up,
        outcomes_add_up,
        hits_add_up,
        allocations_add_up,
        unrun_unhit,
        proofs_fit_the_run,
    )
    return audited(checks, report)
