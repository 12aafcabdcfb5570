"""Counts of a program's allocations by the function that makes them, and its predictions."""

from __future__ import annotations

import os
from collections import Counter

from goprobe.analysis.escape.escape import EscapeRequest, escape
from goprobe.analysis.ownership import package_of
from goprobe.analysis.trace.prepare import Launch
from goprobe.model.escape import EscapeReport, Site


def escapes_of(launch: Launch) -> EscapeReport:
    """The escape report of a program from source, every package's code taken in; one run of it.
    Raises as `escape` does."""
    sink = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
    try:
        return escape(
            EscapeRequest(
                targets=(launch.target,),
                deep=True,
                args=launch.args,
                go=launch.go,
                timeout=launch.timeout,
                stdout=sink,
                stderr=sink,
            )
        )
    finally:
        os.close(sink)


def allocations_of(report: EscapeReport) -> Counter[str]:
    """Calls into the allocator until the exit, by the function that the call stands in."""
    counts: Counter[str] = Counter()
    for site in report.sites:
        for call in site.calls:
            if call.hits:
                counts[call.function or site.function] += call.hits
    return counts


def own_sites(report: EscapeReport) -> list[Site]:
    """The sites in package main."""
    return [s for s in report.sites if package_of(s.function) == "main"]
