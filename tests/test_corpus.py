"""The corpus of testdata/programs: goprobe's trace against each program's own expectations.

By default the newest Go; with GOPROBE_MATRIX=all every release there is. The expectations
themselves are held against witnesses that are not goprobe in test_corpus_witnesses.py.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from goprobe.analysis.trace.trace import TraceRequest, trace
from goprobe.model.codec import to_builtins
from tests.corpus import CorpusError, Program, parse, parse_release, programs
from tests.corpus_check import check, inconsistencies
from tests.support import go
from tests.support.gdb import gdbs

DEBUG = "-gcflags=all=-N -l"
FLAGS = {"debug": (DEBUG,), "opt": (), "pie": (DEBUG, "-buildmode=pie")}
ALL = programs()


def built(program: Program, release: str, build: str) -> Path:
    """The program's binary; skips where it needs something that is not here."""
    for needed in program.needs:
        if shutil.which(needed) is None:
            pytest.skip(f"{program.name} needs {needed}")
    env = {"CGO_ENABLED": "1"} if "gcc" in program.needs else None
    return go.build(program.target, go=release, flags=FLAGS[build], env=env)


def cases() -> Iterator[object]:
    for release in go.matrix():
        for program in ALL:
            if program.runs_on(parse_release(release)):
                for build in program.builds:
                    name = f"{program.name}-{release}-{build}"
                    yield pytest.param(program, release, build, id=name)


@pytest.mark.parametrize(("program", "release", "build"), list(cases()))
def test_trace_meets_the_expectations(
    program: Program, release: str, build: str, capfd: pytest.CaptureFixture[str]
) -> None:
    sites = program.sites_of(parse_release(release), build)
    request = TraceRequest(
        target=str(built(program, release, build)),
        breaks=tuple(site.where for site in sites),
        gdb=str(gdbs()[-1].path),
        max_stops=1000,
    )
    report = to_builtins(trace(request))
    said = capfd.readouterr()
    wrong = check(program, report, said.out + said.err, parse_release(release), build)
    assert not wrong, "\n".join(map(str, wrong))
    assert report["exit"] == {"code": program.exit}
    assert not inconsistencies(report)


@pytest.mark.parametrize("release", go.matrix())
def test_optimised_programs_are_told_without_contradiction(
    release: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """Lines are not what they were there, so these stop at functions only."""
    newest = go.whole_matrix() and release == go.releases()[-1]
    for program in ALL if newest else ALL[::4]:
        if program.runs_on(parse_release(release)) and built_or_none(program, release):
            binary = built(program, release, "opt")
            request = TraceRequest(
                target=str(binary),
                breaks=("main.main", "runtime.printstring"),
                gdb=str(gdbs()[-1].path),
                max_stops=20,
            )
            report = to_builtins(trace(request))
            assert report["exit"] == {"code": program.exit}
            assert not inconsistencies(report), program.name


@pytest.mark.parametrize("release", go.matrix())
def test_programs_are_deterministic(release: str) -> None:
    """All of one release: exit code, no input, the same output twice but for addresses."""
    for program in ALL:
        if program.runs_on(parse_release(release)):
            binary = built_or_none(program, release)
            outputs = {_said(binary, program) for _ in range(2)} if binary else set()
            assert len(outputs) <= 1, program.name


def built_or_none(program: Program, release: str) -> Path | None:
    if any(shutil.which(needed) is None for needed in program.needs):
        return None
    return built(program, release, "debug")


def _said(binary: Path, program: Program) -> str:
    done = subprocess.run([binary], stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
    assert done.returncode == program.exit, program.name
    return re.sub(r"0x[0-9a-f]+", "0x", (done.stdout + done.stderr).decode("utf-8", "replace"))


def test_the_corpus_is_large_enough() -> None:
    assert len(ALL) >= 30
    assert sum(len(site.wants) for program in ALL for site in program.sites) >= 400


@pytest.mark.parametrize(
    ("comment", "complaint"),
    [
        ("// want: x live", "needs a stop"),
        ("x := 1 // stop\n// want: x", "needs a fact"),
        ("x := 1 // stop\n// want: x live -", "no fact"),
        ("// stop main.f", "a stop is"),
        ("x := 1 // stop at main.f", "a stop is"),
        ("x := 1 // stop\n// want [opt]: x live", "needs a name"),
        ("x := 1 // stop\n// want[opt: x live", "looks like"),
        ("x := 1 // stop\n// want@1.25+#2:x live\n//want: x live", "looks like"),
    ],
)
def test_a_comment_that_means_nothing_is_told(tmp_path: Path, comment: str, complaint: str) -> None:
    file = tmp_path / "bad.go"
    file.write_text(f"package main\n{comment}\n")
    with pytest.raises(CorpusError, match=complaint):
        parse(file)
