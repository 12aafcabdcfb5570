from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from goprobe.model.escape import (
    Assertion,
    Change,
    ChangeKind,
    Comparison,
    DanglingPointer,
    EscapeReport,
    Prediction,
    Proof,
    ProofVerdict,
    SourceLine,
    Verdict,
)
from goprobe.model.trace import TraceReport
from goprobe.report import RenderOptions, formats, render
from goprobe.report.verdicts import LOUDNESS, MEANINGS
from tests.report.escapes import escapes, promise, site
from tests.report.screen import cells, lines, raw_characters
from tests.support.schemas import hold_sarif

SPILLED = Verdict.SPILLED_TO_HEAP
HOSTILE = "\x1b[2J\u202e%0A::error::x\n" + "世界" * 30
EVERY = escapes(
    *(site(verdict, line=i + 1) for i, verdict in enumerate(Verdict)),
    assertions=(promise(), promise(held=False, why="it allocated 3 times")),
    dangling=(DanglingPointer("main.global", "stack of goroutine 1", "at the end"),),
)


def text(report: EscapeReport, options: RenderOptions | None = None) -> str:
    return "\n".join(lines(render(report, "text", options or RenderOptions())))


def github(report: EscapeReport) -> list[str]:
    return render(report, "github", RenderOptions()).decode().splitlines()


def sarif(report: EscapeReport) -> Any:
    return json.loads(render(report, "sarif", RenderOptions()))


def test_these_formats_are_for_escape_reports_alone() -> None:
    assert {"sarif", "github"} <= set(formats(EscapeReport))
    assert not {"sarif", "github"} & set(formats(TraceReport))


def test_every_verdict_has_a_meaning_and_a_loudness() -> None:
    assert set(MEANINGS) == set(LOUDNESS) == set(Verdict)


# Text


def test_a_site_is_a_line_and_its_reason_one_below() -> None:
    shown = text(escapes(site())).split("\n")
    at = next(i for i, line in enumerate(shown) if "&point{...}" in line)
    assert shown[at].split() == ["7:9", "&point{...}", "heap", "confirmed", "heap", "3"]
    assert shown[at + 1].strip() == "allocated on the heap 3 times"


def test_of_too_many_sites_those_that_matter_most_are_shown_in_the_order_of_the_files() -> None:
    common = [site(Verdict.CONFIRMED_STACK, line=i + 1, file="a.go") for i in range(500)]
    last = [site(Verdict.SPILLED_TO_HEAP, line=i + 1, file="z.go") for i in range(3)]
    shown = text(escapes(*common, *last))
    assert shown.index("\na.go\n") < shown.index("\nz.go\n")
    assert shown.count("&point{...}") == 400
    left = " ".join(shown.split())
    assert "103 sites more, 103 that matter less or ran less often, parameters and code" in left


def test_what_alarms_comes_before_the_files() -> None:
    shown = text(EVERY)
    alarm, promises, file = (
        shown.index(part) for part in ("Contradicted", "2 promises", "\ncmd/app/main.go\n")
    )
    assert alarm < promises < file
    assert "main.global points at stack of goroutine 1" in shown
    assert "✗ cmd/app/main.go:12 goprobe:noalloc  it allocated 3 times" in shown


def test_of_many_sites_those_that_never_ran_are_left_out_and_counted() -> None:
    quiet = [site(Verdict.NOT_REACHED, line=100 + i, reason="never ran") for i in range(50)]
    report = escapes(site(), *quiet)
    assert "never ran" not in text(report).split("cmd/app/main.go")[1].split("\n\n")[1]
    assert "50 sites more" in text(report)
    assert text(report, RenderOptions(verbose=True)).count("never ran") >= 50


def test_verbose_shows_messages_flow_calls_and_outcomes() -> None:
    shown = text(escapes(site()), RenderOptions(verbose=True, width=120))
    for fact in (
        "said: &point{...} escapes to heap",
        "because flow: x = y:",
        "0x48a000 calls runtime.newobject inlined at b.go:9 (f): 3 hits",
        "3 lay in a 16-byte heap object of main.point, first at 0xc000012040",
    ):
        assert fact in shown
        assert fact not in text(escapes(site()))


def test_a_run_not_seen_to_its_end_says_so_at_once() -> None:
    shown = text(escapes(site(), partial="it still ran after 5 s")).split("\n")
    assert shown[1] == "! not seen to the end: it still ran after 5 s"


@pytest.mark.parametrize("width", [40, 60, 80, 120])
@pytest.mark.parametrize("verbose", [False, True])
def test_text_fits_and_shows_nothing_raw(width: int, verbose: bool) -> None:
    bad = site(file=HOSTILE, expression=HOSTILE, reason=HOSTILE, prediction=Prediction.NONE)
    report = escapes(bad, *EVERY.sites, assertions=(promise(False, HOSTILE, HOSTILE),))
    for unicode in (True, False):
        options = RenderOptions(width=width, verbose=verbose, unicode=unicode)
        data = render(report, "text", options)
        assert raw_characters(data) == set()
        assert max(cells(line) for line in lines(data)) <= width


# GitHub


def test_only_what_needs_attention_is_annotated() -> None:
    found = github(EVERY)
    assert [line.split(" ")[0] for line in found] == ["::error", "::error", "::error", "::warning"]
    assert (
        "::error file=cmd/app/main.go,line=12,title=goprobe%3Anoalloc is broken"
        "::it allocated 3 times"
    ) in found
    assert github(escapes(site())) == []


def test_no_text_can_begin_a_command_of_its_own() -> None:
    bad = site(Verdict.CONTRADICTED, file=HOSTILE, expression=HOSTILE, reason=HOSTILE)
    (line,) = github(escapes(bad))
    assert line.startswith("::error file=")
    assert "%0A" not in line.replace("%250A", "")
    assert raw_characters(line.encode() + b"\n") == set()


# SARIF


def test_a_result_for_each_failure_alone() -> None:
    (run,) = sarif(EVERY)["runs"]
    results = run["results"]
    assert Counter(r["ruleId"] for r in results) == Counter(
        ["promise", "spilled_to_heap", "contradicted", "dangling"]
    )
    assert {r["kind"] for r in results} == {"fail"}
    levels = {r["ruleId"]: r["level"] for r in results}
    assert (levels["contradicted"], levels["spilled_to_heap"]) == ("error", "warning")
    rules = {rule["id"]: rule for rule in run["tool"]["driver"]["rules"]}
    assert set(levels) | {v.value for v in Verdict} <= set(rules)
    for rule in rules.values():
        assert rule["fullDescription"]["text"] and rule["help"]["markdown"].startswith("**")
    wanted = replace(EVERY, fail_on=(Verdict.CONFIRMED_HEAP,))
    assert "confirmed_heap" in {r["ruleId"] for r in sarif(wanted)["runs"][0]["results"]}


def test_places_are_relative_to_the_repository_or_whole() -> None:
    report = escapes(
        site(SPILLED, file="a b/ü.go"),
        site(SPILLED, file="/usr/lib/go/src/fmt/print.go"),
        site(SPILLED, file="/home/me/repo/other/x.go"),
    )
    report = replace(report, folder="/home/me/repo/sub", root="/home/me/repo")
    (run,) = sarif(report)["runs"]
    places = [r["locations"][0]["physicalLocation"]["artifactLocation"] for r in run["results"]]
    assert places == [
        {"uri": "file:///usr/lib/go/src/fmt/print.go"},
        {"uri": "other/x.go", "uriBaseId": "SRCROOT"},
        {"uri": "sub/a%20b/%C3%BC.go", "uriBaseId": "SRCROOT"},
    ]
    assert run["originalUriBaseIds"] == {"SRCROOT": {"uri": "file:///home/me/repo/"}}
    assert "file=sub/a b/ü.go," in "\n".join(github(report))


def test_results_are_known_again_when_lines_move() -> None:
    first, moved, other = (
        sarif(escapes(site(SPILLED, line=line, expression=name)))["runs"][0]["results"][0]
        for line, name in ((3, "x"), (30, "x"), (3, "y"))
    )
    key = "partialFingerprints"
    assert first[key] == moved[key] != other[key]
    twins = sarif(escapes(site(SPILLED, line=3), site(SPILLED, line=9)))["runs"][0]["results"]
    assert twins[0][key] != twins[1][key]


def test_a_broken_chain_is_a_flow_of_code() -> None:
    chain = (SourceLine("main.f", "a.go", 7), SourceLine("runtime.newobject", "", 0))
    proof = Proof(ProofVerdict.BROKEN, chain, "", 3)
    broken = Assertion("a.go", 5, "noalloc deep", False, "it may come to newobject", True, proof)
    (result,) = sarif(escapes(assertions=(broken,)))["runs"][0]["results"]
    steps = result["codeFlows"][0]["threadFlows"][0]["locations"]
    assert [s["location"]["message"]["text"] for s in steps] == ["main.f", "runtime.newobject"]
    assert steps[0]["location"]["physicalLocation"]["region"]["startLine"] == 7


# Markdown


def test_a_summary_tells_failures_and_changes_first() -> None:
    change = Change(
        kind=ChangeKind.NEW, file="a|b.go", line=3, function="m.f", expression="x | y",
        before="", after="confirmed_heap", allocations_before=0, allocations=7, bytes_before=0,
        bytes=56, why="from sink = x (assign)", fails=True,
    )  # fmt: skip
    since = Comparison(against="old.json", go="1.26.6", changes=(change,), same=4, silent=0)
    report = replace(EVERY, comparisons=(since,))
    shown = render(report, "markdown", RenderOptions()).decode()
    assert shown.startswith("### goprobe escape: 4 failures\n\n1 of 2 promises held.\n")
    assert "| `+` | `a\\|b.go:3` | `x \\| y`: new, 7 allocations" in shown
    assert "because sink = x" in shown and "4 places as before." in shown
    hostile = escapes(site(SPILLED, file=HOSTILE, expression=HOSTILE, reason="<img src=x>|"))
    data = render(hostile, "markdown", RenderOptions())
    assert raw_characters(data) == set() and b"<img" not in data


def test_a_partial_run_is_no_success() -> None:
    (invocation,) = sarif(escapes(partial="it crashed"))["runs"][0]["invocations"]
    assert invocation["executionSuccessful"] is False
    assert "it crashed" in invocation["toolExecutionNotifications"][0]["message"]["text"]


@pytest.mark.parametrize(
    "report",
    [
        EVERY,
        escapes(),
        escapes(site(file=HOSTILE, expression=HOSTILE, reason="\udcff"), partial=HOSTILE),
    ],
)
def test_the_published_schema_accepts_it(report: EscapeReport) -> None:
    # The published schema is not ours to copy: it is looked for beside the project, too.
    beside = Path(__file__).parents[3] / "shared" / "data" / "sarif-schema-2.1.0.json"
    file = Path(os.environ.get("GOPROBE_SARIF_SCHEMA") or beside)
    if not file.is_file():
        pytest.skip("GOPROBE_SARIF_SCHEMA does not name the published SARIF 2.1.0 schema")
    hold_sarif(sarif(report), file)


@pytest.mark.parametrize(
    ("expression", "region"),
    [
        ("value", {"startLine": 3, "endLine": 3, "startColumn": 5, "endColumn": 10}),
        ("a + b", {"startLine": 3, "endLine": 3, "startColumn": 5}),  # its place is the operator's
    ],
)
def test_a_name_has_an_end(expression: str, region: dict[str, int]) -> None:
    told = escapes(replace(site(SPILLED, line=3, expression=expression), col=5))
    (result,) = sarif(told)["runs"][0]["results"]
    assert result["locations"][0]["physicalLocation"]["region"] == region
