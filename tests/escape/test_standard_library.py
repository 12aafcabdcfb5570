"""Go's own packages, with their own tests: real code, held against Go's own memory profile.

With GOPROBE_MATRIX=all every package of the list on every Go release, else one on the newest.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from goprobe.model.escape import EscapeReport, Verdict
from goprobe.model.trace import Exit
from tests.escape.profile import BESIDES, compared, study
from tests.support.go import matrix, whole_matrix

ALL = ("strings", "strconv", "encoding/json", "fmt", "sort", "bytes", "bufio", "text/template")
PACKAGES = ALL if whole_matrix() else ("strconv",)
_SKIPS_A_FRAME = ("1.21", "1.24", "1.25")  # see test_witness.py
_MOST_UNOBSERVED = 0.03


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
    # With all of encoding/json's big values Go's own profile takes most of a minute.
    found = compared(package, go, tmp_path, more=("-test.short",))
    report, differing = found.report, found.differing
    check_whole(report, tmp_path / "out")
    calls = [c for s in report.sites for c in s.calls]
    direct = sum(c.blocks for c in calls if c.callee == "runtime.mallocgc" and c.blocks > 0)
    if go in _SKIPS_A_FRAME:
        assert sum(abs(a - b) for a, b in differing.values()) <= 2 * direct + BESIDES, differing
    else:
        assert sum(abs(a - b) for a, b in differing.values()) <= BESIDES, differing
    assert found.lines > 50


@pytest.mark.skipif(not whole_matrix(), reason="benchmarks take minutes: GOPROBE_MATRIX=all")
@pytest.mark.parametrize("package", ALL)
def test_its_benchmarks_run_to_the_end(package: str, tmp_path: Path) -> None:
    output = tmp_path / "out"
    report = study(package, matrix()[-1], output, bench=".", args=("-test.benchtime=3x",))
    check_whole(report, output)
    assert os.fspath(output) and "PASS" in output.read_text()
