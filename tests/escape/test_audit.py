"""The checks of `goprobe escape`, each broken on purpose in a report of a real run."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from goprobe.analysis.escape.audit import audit_escape
from goprobe.analysis.escape.escape import EscapeRequest, escape
from goprobe.model.escape import Assertion, EscapeReport, Proof, ProofVerdict, Site
from tests.support.go import toolchain

PROGRAM = """package main

import "fmt"

var kept []*int

//go:noinline
func make1(i int) *int { return &i }

func main() {
	for i := 0; i < 40; i++ {
		kept = append(kept, make1(i))
	}
	fmt.Println(len(kept))
}
"""


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> EscapeReport:
    source = tmp_path_factory.mktemp("audit") / "main.go"
    source.write_text(PROGRAM)
    with Path(os.devnull).open("w") as sink:
        return escape(
            EscapeRequest(
                targets=(str(source),),
                go=str(toolchain()),
                stdout=sink.fileno(),
                stderr=sink.fileno(),
            )
        )


def failed(report: EscapeReport) -> set[str]:
    return {entry.check for entry in audit_escape(report) if not entry.holds}


def altered(report: EscapeReport, change: Callable[[Site], Site]) -> EscapeReport:
    """With the site of `&i` changed, which has one call, outcomes, and more hits than were
    looked at."""
    i = next(n for n, s in enumerate(report.sites) if s.calls and s.hits == 40 and s.outcomes)
    sites = (*report.sites[:i], change(report.sites[i]), *report.sites[i + 1 :])
    return replace(report, sites=sites)


def test_what_is_told_holds(report: EscapeReport) -> None:
    assert report.audit and not report.contradictions
    assert not failed(altered(report, lambda site: site))


@pytest.mark.contradictory
def test_a_proof_that_the_run_contradicts_is_told(report: EscapeReport) -> None:
    proof = Proof(ProofVerdict.PROVED, (), "", 3)
    held = Assertion("main.go", 7, "noalloc deep", True, "proved", True, proof)
    assert not failed(replace(report, assertions=(held,)))
    assert failed(replace(report, assertions=(replace(held, held=False),))) == {
        "proofs_fit_the_run"
    }


@pytest.mark.contradictory
@pytest.mark.parametrize(
    ("change", "check"),
    [
        (lambda s: replace(s, inspected=s.inspected - 1), "outcomes_add_up"),
        (lambda s: replace(s, outcomes=(replace(s.outcomes[0], count=0),)), "outcomes_add_up"),
        (
            lambda s: replace(s, outcomes=(replace(s.outcomes[0], opened=s.inspected + 1),)),
            "outcomes_add_up",
        ),
        (lambda s: replace(s, hits=s.hits - 1), "hits_add_up"),
        (lambda s: replace(s, calls=(replace(s.calls[0], hits=s.hits + 1),)), "hits_add_up"),
        (lambda s: replace(s, allocations=s.allocations + 1), "allocations_add_up"),
        (lambda s: replace(s, calls=(replace(s.calls[0], blocks=1 << 20),)), "allocations_add_up"),
    ],
)
def test_counts_that_cannot_be_are_told(
    report: EscapeReport, change: Callable[[Site], Site], check: str
) -> None:
    assert check in failed(altered(report, change))


@pytest.mark.contradictory
def test_a_summary_of_other_sites_is_told(report: EscapeReport) -> None:
    verdict = next(iter(report.summary))
    more = {**report.summary, verdict: report.summary[verdict] + 1}
    assert failed(replace(report, summary=more)) == {"summary_adds_up"}
    assert failed(replace(report, ran=False)) == {"unrun_unhit"}
