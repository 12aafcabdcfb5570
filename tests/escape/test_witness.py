"""goprobe and Go's own memory profile, watching the same run, see the same allocations."""

from __future__ import annotations

from collections import Counter

import pytest

from goprobe.analysis.escape.predictions import is_global
from goprobe.analysis.escape.sources import Sources
from goprobe.model.escape import EscapeReport
from tests.escape.corpus import PROGRAMS, witnessed
from tests.escape.profile import allocations_by_line
from tests.support.go import matrix

# The profile leaves out one frame too many, runtime/mprof.go's callers(4, …), where compiled code
# calls mallocgc itself: the allocation then counts for the caller's line.
_SKIPS_A_FRAME = ("1.21", "1.24", "1.25")


# Their callees (fmt), or the goroutines that they start, allocate as well.
_ALLOCATE_ELSEWHERE_TOO = ("interfaces", "closures")


def blocks_by_line(report: EscapeReport, file: str) -> tuple[Counter[int], int]:
    """What goprobe saw allocated, by the line on which the source of the call stands, and how
    much of it by direct calls of mallocgc."""
    found: Counter[int] = Counter()
    direct = 0
    for site in report.sites:
        for call in site.calls:
            if call.file == file:
                assert call.blocks >= 0, f"{file}:{call.line} {call.callee}: not all inspected"
                found[call.line] += call.blocks
            if call.callee == "runtime.mallocgc":
                direct += call.blocks
    return +found, direct


@pytest.mark.parametrize("go", matrix())
@pytest.mark.parametrize("program", PROGRAMS)
def test_lines_and_allocations_are_those_of_the_memory_profile(program: str, go: str) -> None:
    with witnessed(program, go) as seen:
        ours, direct = blocks_by_line(seen.report, f"{program}.go")
        theirs = Counter(
            {
                line: count
                for (file, line), count in allocations_by_line(seen.profile).items()
                if file == str(seen.source)
            }
        )
    # What package variables begin with was made before the profile was switched on.
    globals_ = {line for line in ours if is_global(str(seen.source_copy), line, Sources())}
    differing = {
        line: (ours[line], theirs[line])
        for line in {*ours, *theirs} - globals_
        if ours[line] != theirs[line]
    }
    if go in _SKIPS_A_FRAME and direct:
        assert sum(max(0, a - b) for a, b in differing.values()) <= direct
        assert sum(max(0, b - a) for a, b in differing.values()) <= direct
    else:
        assert not differing, f"line: (goprobe, profile) {differing}"
    assert sum(theirs.values()) > 5
    if program not in _ALLOCATE_ELSEWHERE_TOO:
        initial = sum(
            c.allocations
            for s in seen.report.sites
            for c in s.calls
            if c.line in globals_ and c.file == f"{program}.go"
        )
        made = sum(c.allocations for s in seen.report.sites for c in s.calls)
        assert made - initial == seen.mallocs
