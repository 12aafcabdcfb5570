"""Counts of a program's allocations by the function that makes them, and its predictions."""

from __future__ import annotations

import os
from collections import Counter

from goprobe.analysis.escape import EscapeRequest, escape
from goprobe.analysis.explain.study import Study
from goprobe.errors import GoprobeError
from goprobe.model.escape import EscapeReport
from goprobe.toolchain.built import is_executable_file


def escapes_of(study: Study) -> EscapeReport | None:
    """The escape report of the program; None for a compiled one."""
    if is_executable_file(study.target):
        return None
    return _escape(study, deep=False)


def allocations_of(study: Study) -> Counter[str]:
    """Calls into the allocator until the exit, by the function that the call stands in."""
    found: Counter[str] = Counter()
    if is_executable_file(study.target):
        return found
    try:
        report = _escape(study, deep=True)
    except GoprobeError:
        return found
    for site in report.sites:
        for call in site.calls:
            if call.hits:
                found[call.function or site.function] += call.hits
    return found


def _escape(study: Study, *, deep: bool) -> EscapeReport:
    sink = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
    try:
        return escape(
            EscapeRequest(
                (study.target,),
                deep=deep,
                args=study.launch.args,
                go=study.launch.go,
                timeout=study.launch.timeout,
                stdout=sink,
                stderr=sink,
            )
        )
    finally:
        os.close(sink)
