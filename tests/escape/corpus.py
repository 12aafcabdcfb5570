"""The corpus of testdata/escape: Go programs whose expectations stand in their source.

    return &point{i, i} // want: confirmed_heap 3
    s := make([]int, n) // want: spilled_to_heap 3 @1.25-; confirmed_heap 3 @-1.24

A line's sites (parameters aside) have these verdicts, with these hits, all of them counted, where a
number is given, on the Go releases named (all where none is). A line without such a comment has no
sites.
"""

from __future__ import annotations

import os
import re
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest import mock

from goprobe.analysis.escape.escape import EscapeRequest, Mode, escape
from goprobe.model.escape import EscapeReport, Site, Verdict
from tests.support.go import toolchain

FOLDER = Path(__file__).resolve().parents[2] / "testdata" / "escape"
PROGRAMS = sorted(path.stem for path in FOLDER.glob("*.go"))

_WANT = re.compile(r"// want: (.+)")
_ITEM = re.compile(r"(\w+)(?: (\d+))?(?: @([\d.]*)(-?)([\d.]*))?")

Release = tuple[int, int]


@dataclass(frozen=True)
class Want:
    """An expectation; `hits` -1: any number."""

    verdict: Verdict
    hits: int
    first: Release
    last: Release

    def covers(self, release: Release) -> bool:
        return self.first <= release <= self.last


def release_of(go: str) -> Release:
    major, minor = go.split(".")
    return int(major), int(minor)


def wants(path: Path) -> dict[int, list[Want]]:
    """The expectations by line."""
    found: dict[int, list[Want]] = {}
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if match := _WANT.search(line):
            found[number] = [_item(item, f"{path.name}:{number}") for item in match[1].split("; ")]
    return found


def _item(text: str, where: str) -> Want:
    match = _ITEM.fullmatch(text.strip())
    assert match, f"{where}: no expectation: {text!r}"
    first, dash, last = match[3] or "", match[4] or "", match[5] or ""
    if first and not dash:
        last = first
    return Want(
        Verdict(match[1]),
        int(match[2]) if match[2] else -1,
        release_of(first) if first else (0, 0),
        release_of(last) if last else (99, 99),
    )


def is_aside(site: Site) -> bool:
    """Parameters, and what the scheduler makes of channels, which may differ each time."""
    return site.parameter or site.expression.startswith("record of the")


def compare(name: str, report: EscapeReport, go: str) -> list[str]:
    """Where a report differs from what the program's source expects; empty: nowhere."""
    path, release = FOLDER / f"{name}.go", release_of(go)
    expected = {n: [w for w in ws if w.covers(release)] for n, ws in wants(path).items()}
    found: dict[int, list[Site]] = {}
    for site in report.sites:
        if Path(site.file).name == path.name and not is_aside(site):
            found.setdefault(site.line, []).append(site)
    return [
        f"{path.name}:{line} on Go {go}: expected {_shown(expected.get(line, []))}, got "
        + "; ".join(
            f"{s.verdict} {s.hits if s.counted else 'uncounted'} ({s.expression}: {s.reason})"
            for s in found.get(line, [])
        )
        for line in sorted({*expected, *found})
        if not _same(expected.get(line, []), found.get(line, []))
    ]


def _shown(expected: list[Want]) -> str:
    return "; ".join(f"{w.verdict} {w.hits if w.hits >= 0 else ''}".strip() for w in expected)


def _verdict(site: Site) -> str:
    """Whether there is an old goroutine to be used again is the scheduler's affair."""
    reused = site.expression == "go" and site.verdict is Verdict.ELIDED
    return str(Verdict.UNPREDICTED if reused else site.verdict)


def _same(expected: list[Want], found: list[Site]) -> bool:
    exact = Counter((str(w.verdict), w.hits) for w in expected if w.hits >= 0)
    loose = Counter(str(w.verdict) for w in expected if w.hits < 0)
    for site in found:
        key = _verdict(site), site.hits if site.counted else -1
        if exact[key]:
            exact[key] -= 1
        elif loose[key[0]]:
            loose[key[0]] -= 1
        else:
            return False
    return not +exact and not +loose


@contextmanager
def go_environment() -> Iterator[None]:
    fixed = {"GOTOOLCHAIN": "local", "GOFLAGS": "", "GOPROXY": "off", "GOWORK": "off"}
    with mock.patch.dict(os.environ, fixed):
        yield


def study(name: str, go: str, **options: object) -> EscapeReport:
    """The report on a program of the corpus."""
    request: Mapping[str, object] = {"hits": 1000, "timeout": 120.0, "stdout": 2, **options}
    with go_environment():
        return escape(
            EscapeRequest(targets=(str(FOLDER / f"{name}.go"),), go=str(toolchain(go)), **request)  # type: ignore[arg-type]
        )


_TEST = """package main

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"testing"
)

func TestProgram(t *testing.T) {
	debug.SetGCPercent(-1)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	main()
	runtime.ReadMemStats(&after)
	fmt.Fprintf(os.Stderr, "mallocs %d\\n", after.Mallocs-before.Mallocs)
}
"""


@dataclass(frozen=True)
class Witnessed:
    """One run seen by both: goprobe's report, Go's profile, and the program's own MemStats."""

    report: EscapeReport
    profile: Path
    source: Path
    source_copy: Path
    mallocs: int


@contextmanager
def witnessed(name: str, go: str) -> Iterator[Witnessed]:
    """The program run as a test that writes a profile of every allocation, goprobe watching."""
    with TemporaryDirectory() as folder, go_environment():
        home = Path(folder)
        shutil.copy(FOLDER / f"{name}.go", home)
        (home / "go.mod").write_text(f"module example.com/{name}\n\ngo {go}\n")
        (home / "program_test.go").write_text(_TEST)
        profile, said = home / "mem.out", home / "stderr"
        with said.open("w+b") as errors:
            report = escape(
                EscapeRequest(
                    targets=(str(home),),
                    mode=Mode.TEST,
                    run="TestProgram",
                    go=str(toolchain(go)),
                    hits=2000,
                    args=(f"-test.memprofile={profile}", "-test.memprofilerate=1"),
                    timeout=120.0,
                    stdout=errors.fileno(),
                    stderr=errors.fileno(),
                    cwd=home,
                )
            )
        mallocs = re.search(r"^mallocs (\d+)", said.read_text(), re.M)
        assert mallocs, said.read_text()
        source = home / f"{name}.go"
        yield Witnessed(report, profile, source, FOLDER / f"{name}.go", int(mallocs[1]))
