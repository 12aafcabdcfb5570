"""Go's own packages, with their own tests: real code, held against Go's own memory profile.

With GOPROBE_MATRIX=all every package of the list on every Go release, else one on the newest.
"""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass
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
            package,
            go=str(toolchain(go)),
            cwd="/",
            stdout=file.fileno(),
            stderr=file.fileno(),
            timeout=900.0,
            **options,  # type: ignore[arg-type]
        )


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
    # What is allocated before main is not in the profile, unless it is large (the profile then
    # samples by size): a run that only lists its tests, none of them, shows how much that is.
    first = study(package, go, output, test=True, hits=HITS, args=("-test.list=^$",))
    report = study(package, go, output, test=True, hits=HITS, args=flags)
    check_whole(report, output)
    before, ours, theirs = made(first, package), made(report, package), Counter[Place]()
    theirs.update(allocations_by_line(profile))
    differing = {
        place: (line.blocks, theirs[place])
        for place, line in ours.items()
        if theirs[place] not in line.expected(before.get(place, Made()))
    }
    calls = [c for s in report.sites for c in s.calls]
    direct = sum(c.blocks for c in calls if c.callee == "runtime.mallocgc" and c.blocks > 0)
    if go in _SKIPS_A_FRAME:
        assert sum(abs(a - b) for a, b in differing.values()) <= 2 * direct + _BESIDES, differing
    else:
        assert sum(abs(a - b) for a, b in differing.values()) <= _BESIDES, differing
    assert sum(line.blocks > 0 for line in ours.values()) > 50


@dataclass(frozen=True)
class Made:
    """What was allocated on a line: objects, and the memory blocks that they began."""

    objects: int = 0
    blocks: int = 0

    def expected(self, before: Made) -> set[int]:
        """The blocks that the profile may have, `before` of all this made before main.

        Which of the small objects begin a block differs from run to run: where all were made
        before main, those of the one run tell nothing of the other's.
        """
        counts = {self.blocks, self.blocks - before.blocks}
        return counts | {0} if self.objects == before.objects else counts


def made(report: EscapeReport, package: str) -> dict[Place, Made]:
    """By line of the package what was allocated there, where every hit was looked at."""
    lines: dict[Place, list[Call]] = {}
    for site in report.sites:
        for call in site.calls:
            place = f"/{call.file}".replace("//", "/"), call.line
            if place[0].rpartition("/")[0].endswith(f"/src/{package}"):
                lines.setdefault(place, []).append(call)
    return {
        place: Made(sum(c.allocations for c in group), sum(c.blocks for c in group))
        for place, group in lines.items()
        if all(c.blocks >= 0 for c in group)
    }


@pytest.mark.skipif(not whole_matrix(), reason="benchmarks take minutes: GOPROBE_MATRIX=all")
@pytest.mark.parametrize("package", ALL)
def test_its_benchmarks_run_to_the_end(package: str, tmp_path: Path) -> None:
    output = tmp_path / "out"
    report = study(package, matrix()[-1], output, bench=".", args=("-test.benchtime=3x",))
    check_whole(report, output)
    assert os.fspath(output) and "PASS" in output.read_text()
