"""Go's own packages, with their own tests: real code, held against Go's own memory profile.

With GOPROBE_MATRIX=all every package of the list on every Go release, else one on the newest.
"""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest

import goprobe
from goprobe.model.escape import Call, EscapeReport, Verdict
from goprobe.model.trace import Exit
from tests.escape.corpus import go_environment
from tests.escape.profile import allocations_by_line
from tests.support.go import matrix, toolchain, whole_matrix

ALL = ("strings", "strconv", "encoding/json", "fmt", "sort", "bytes", "bufio", "text/template")
PACKAGES = ALL if whole_matrix() else ("strconv",)
_SKIPS_A_FRAME = ("1.21", "1.24", "1.25")  # see test_witness.py
_MOST_UNOBSERVED = 0.03
# An allocation may start the collector, which allocates a little of its own on the way; and where
# a small object opens a block is up to what the scheduler's other goroutines allocate.
_BESIDES = 6
HITS = 300

Place = tuple[str, int]


def study(package: str, go: str, output: Path, **options: object) -> EscapeReport:
    with go_environment(), output.open("w") as file:
        return goprobe.escape(
            package, go=str(toolchain(go)), cwd="/", stdout=file.fileno(), stderr=file.fileno(),
            timeout=900.0, **options,  # type: ignore[arg-type]
        )  # fmt: skip


def check_whole(report: EscapeReport, output: Path) -> None:
    """Run to the end, every site judged, nothing contradicted, next to nothing unobserved."""
    assert report.exit == Exit(code=0), output.read_text()[-2000:]
    assert not report.partial
    contradicted = [s for s in report.sites if s.verdict is Verdict.CONTRADICTED]
    assert not contradicted and not report.dangling
    executed = [s for s in report.sites if s.hits]
    unobserved = [s for s in executed if s.verdict is Verdict.UNOBSERVED]
    assert executed and len(unobserved) <= _MOST_UNOBSERVED * len(executed)
    assert all(s.reason for s in report.sites)


@pytest.mark.parametrize("go", matrix())
@pytest.mark.parametrize("package", PACKAGES)
def test_its_tests_allocate_where_goprobe_says(
    package: str, go: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    if go != matrix()[-1]:
        # Open: on Go 1.21 strings.go:254 counts 46 blocks where the profile has 113. Older releases
        # are run and shown, but hold nothing up until each difference is explained.
        request.node.add_marker(pytest.mark.xfail(strict=False, reason="open on older releases"))
    profile, output = tmp_path / "mem.out", tmp_path / "out"
    flags = (f"-test.memprofile={profile}", "-test.memprofilerate=1")
    # What is allocated before main is not in the profile, unless it is large (the profile then
    # samples by size): a run of no test at all shows how much that is.
    first = study(package, go, output, run_tests="^$", hits=HITS, args=flags)
    report = study(package, go, output, test=True, hits=HITS, args=flags)
    check_whole(report, output)
    before, ours, theirs = blocks(first, package), blocks(report, package), Counter[Place]()
    theirs.update(allocations_by_line(profile))
    differing = {
        place: (count - before.get(place, 0), theirs[place])
        for place, count in ours.items()
        if theirs[place] not in (count, count - before.get(place, 0))
    }
    calls = [c for s in report.sites for c in s.calls]
    direct = sum(c.blocks for c in calls if c.callee == "runtime.mallocgc" and c.blocks > 0)
    if go in _SKIPS_A_FRAME:
        assert sum(abs(a - b) for a, b in differing.values()) <= 2 * direct + _BESIDES, differing
    else:
        assert sum(abs(a - b) for a, b in differing.values()) <= _BESIDES, differing
    assert sum(n > 0 for n in ours.values()) > 50


def blocks(report: EscapeReport, package: str) -> dict[Place, int]:
    """By line of the package what was allocated there, where every hit was looked at."""
    lines: dict[Place, list[Call]] = {}
    for site in report.sites:
        for call in site.calls:
            place = f"/{call.file}".replace("//", "/"), call.line
            if f"/src/{package}/" in place[0]:
                lines.setdefault(place, []).append(call)
    return {
        place: sum(c.blocks for c in group)
        for place, group in lines.items()
        if all(c.blocks >= 0 for c in group)
    }


@pytest.mark.skipif(not whole_matrix(), reason="benchmarks take minutes: GOPROBE_MATRIX=all")
@pytest.mark.parametrize("package", ("strconv", "sort", "encoding/json"))
def test_its_benchmarks_run_to_the_end(package: str, tmp_path: Path) -> None:
    output = tmp_path / "out"
    report = study(package, matrix()[-1], output, bench=".", args=("-test.benchtime=3x",))
    check_whole(report, output)
    assert os.fspath(output) and "PASS" in output.read_text()
