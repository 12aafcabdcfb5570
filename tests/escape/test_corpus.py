"""Every program of the corpus, on every Go release: the verdicts that its source expects."""

from __future__ import annotations

import pytest

from goprobe.model.escape import Verdict
from goprobe.model.trace import Exit
from tests.escape.corpus import FOLDER, PROGRAMS, compare, release_of, study, wants
from tests.support.go import has_gcc, matrix, releases


@pytest.mark.parametrize("go", matrix())
@pytest.mark.parametrize("program", PROGRAMS)
def test_verdicts_and_hits_are_those_that_the_source_expects(program: str, go: str) -> None:
    report = study(program, go)
    assert not compare(program, report, go)
    assert report.exit == Exit(code=0)
    assert not report.partial
    assert not report.warnings


@pytest.mark.skipif(not has_gcc(), reason="no C compiler for the race detector")
@pytest.mark.parametrize("go", matrix())
def test_a_line_that_ran_is_not_said_never_to_have(
    go: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first code of a line may stand where the line is not reached: in the block before it."""
    monkeypatch.setenv("CGO_ENABLED", "1")
    report = study("branches", go, flags=("-race",))
    (line,) = (
        n
        for n, ws in wants(FOLDER / "branches.go").items()
        for w in ws
        if n > 30 and w.verdict is Verdict.UNOBSERVED and w is ws[0]
    )
    sites = [s for s in report.sites if s.line == line]
    assert len(sites) == (0 if go == "1.21" else 2)
    assert not [s for s in sites if "never ran" in s.reason or s.verdict is Verdict.NOT_REACHED]


def test_the_corpus_covers_its_subject() -> None:
    expected = [w for name in PROGRAMS for ws in wants(FOLDER / f"{name}.go").values() for w in ws]
    assert len(expected) >= 80
    seen = {want.verdict for want in expected}
    assert seen >= set(Verdict) - {Verdict.CONTRADICTED, Verdict.UNOBSERVED}


def test_releases_that_differ_are_told_apart() -> None:
    """A harness that ignored the release would not notice what changed in 1.22, 1.25 and 1.26."""
    kinds = {
        tuple(str(w.verdict) for w in ws if w.covers(release_of(go)))
        for ws in wants(FOLDER / "slices.go").values()
        for go in releases()
    }
    assert ("spilled_to_heap",) in kinds and ("confirmed_stack",) in kinds


def test_two_runs_say_the_same() -> None:
    first, second = (study("strings", matrix()[-1]) for _ in range(2))
    say = [
        [(s.file, s.line, s.col, s.verdict, s.hits, s.reason) for s in r.sites]
        for r in (first, second)
    ]
    assert say[0] == say[1]
