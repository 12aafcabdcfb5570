"""Go's own packages, with their own tests: real code, held against Go's own memory profile.

With GOPROBE_MATRIX=all every package of the list on every Go release, else one on the newest.
"""

from __future__ import annotations

import os
import re
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
_BEFORE_THE_PROFILE = re.compile(r"(\.|^)init(\.\d+)?$")
_SKIPS_A_FRAME = ("1.21", "1.24", "1.25")  # see test_witness.py
_MOST_UNOBSERVED = 0.03


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
def test_its_tests_allocate_where_goprobe_says(package: str, go: str, tmp_path: Path) -> None:
    profile, output = tmp_path / "mem.out", tmp_path / "out"
    flags = (f"-test.memprofile={profile}", "-test.memprofilerate=1")
    report = study(package, go, output, test=True, hits=100, args=flags)
    check_whole(report, output)
    theirs = allocations_by_line(profile)
    calls = [c for s in report.sites for c in s.calls]
    lines: dict[tuple[str, int], list[Call]] = {}
    for call in calls:
        lines.setdefault((f"/{call.file}".replace("//", "/"), call.line), []).append(call)
    ours: Counter[tuple[str, int]] = Counter()
    for place, group in lines.items():
        if all(c.blocks >= 0 and not _BEFORE_THE_PROFILE.search(c.function) for c in group):
            ours[place] = sum(c.blocks for c in group)
    differing = {place: (n, theirs[place]) for place, n in ours.items() if n != theirs[place]}
    direct = sum(c.blocks for c in calls if c.callee == "runtime.mallocgc" and c.blocks > 0)
    if go in _SKIPS_A_FRAME:
        assert sum(abs(a - b) for a, b in differing.values()) <= 2 * direct
    else:
        # An allocation may start the collector, which allocates a little of its own on the way.
        added = {p: b - a for p, (a, b) in differing.items() if 0 < b - a <= 2}
        assert not differing.keys() - added.keys(), differing
        assert len(added) <= 3, differing
    assert sum(n > 0 for n in ours.values()) > 50


@pytest.mark.skipif(not whole_matrix(), reason="benchmarks take minutes: GOPROBE_MATRIX=all")
@pytest.mark.parametrize("package", ("strconv", "sort", "encoding/json"))
def test_its_benchmarks_run_to_the_end(package: str, tmp_path: Path) -> None:
    output = tmp_path / "out"
    report = study(package, matrix()[-1], output, bench=".", args=("-test.benchtime=3x",))
    check_whole(report, output)
    assert os.fspath(output) and "PASS" in output.read_text()
