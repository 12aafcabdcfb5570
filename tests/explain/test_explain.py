"""Every claim of `goprobe explain`, measured on the built-in hello and on programs of any kind."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from goprobe.analysis.explain.audit import audit_explain
from goprobe.analysis.explain.claims import CLAIMS
from goprobe.model.codec import from_json
from goprobe.model.explain import Claim, ClaimVerdict, ExplainReport
from goprobe.model.location import Kind
from goprobe.report.picture import Row, rows
from tests.support import go
from tests.support.cli import PROJECT, Ran, goprobe

PROGRAMS = PROJECT / "testdata"


@pytest.fixture(scope="module", params=go.matrix())
def hello(request: pytest.FixtureRequest) -> Ran:
    """One run for all questions about it."""
    ran = goprobe("explain", "--json", env={"GOPROBE_GO": str(go.toolchain(request.param))})
    assert ran.code == 0, ran.err
    return ran


def claim(ran: Ran, number: int) -> dict[str, Any]:
    found: dict[str, Any] = ran.json["claims"][number - 1]
    assert found["id"] == str(number)
    return found


def boxes_on_the_heap(ran: Ran) -> bool:
    """Before Go 1.25 a constant string in an interface has its header allocated."""
    return tuple(map(int, ran.json["go"]["version"].split(".")[:2])) < (1, 25)


def complete(ran: Ran) -> None:
    assert ran.code == 0, ran.err
    assert "Traceback" not in ran.err
    assert [c["claim"] for c in ran.json["claims"]] == [text for text, _ in CLAIMS]
    assert len(CLAIMS) == 14
    assert all(c["measured"] for c in ran.json["claims"])
    assert all(any(c["evidence"]) for c in ran.json["claims"])
    assert ran.json["audit"] and all(entry["holds"] for entry in ran.json["audit"])


def test_it_is_complete(hello: Ran) -> None:
    complete(hello)
    assert not [c for c in hello.json["claims"] if c["verdict"] == "not_observable"]


def test_stdout_is_json_alone_and_progress_is_quiet(hello: Ran) -> None:
    assert "Hello, Go!" in hello.err
    assert hello.err.count("measuring claim") <= 1
    assert len(hello.err.splitlines()) <= 4


@pytest.mark.parametrize(
    ("number", "verdict"),
    [
        (1, "holds"),
        (2, "differs"),
        (3, "differs"),
        (4, "differs"),
        (5, "holds"),
        (6, "differs"),
        (7, "holds"),
        (8, "differs"),
        (9, "holds"),
        (10, "differs"),
        (11, "holds"),
        (12, "holds"),
        (14, "differs"),
    ],
)
def test_verdicts_that_are_certain(hello: Ran, number: int, verdict: str) -> None:
    if boxes_on_the_heap(hello):
        verdict = {9: "differs", 14: "holds"}.get(number, verdict)
    assert claim(hello, number)["verdict"] == verdict, claim(hello, number)


@pytest.mark.parametrize(
    ("number", "told"),
    [
        (1, "executable, not writable"),
        (2, "the 10 bytes of msg lie in .rodata (r--p)"),
        (2, "1 time in the binary"),
        (2, "scratch copy of the process ended in a SIGSEGV at that address and exit code 2"),
        (4, "msg is 16 bytes, two words"),
        (4, "length 10"),
        (5, "an equal literal in another function at the same bytes"),
        (6, "each callee's frame lies below its caller's"),
        (6, "sub rsp"),
        (8, "1,000,000,000 bytes"),
        (8, "exit code 2"),
        (9, "0 of them from main's own code"),
        (11, "0 cycles"),
        (12, "maps no library"),
        (14, "1 static"),
    ],
)
def test_facts(hello: Ran, number: int, told: str) -> None:
    if boxes_on_the_heap(hello):
        told = {9: "1 of them from main's own code", 14: "1 confirmed heap"}.get(number, told)
    assert told in claim(hello, number)["measured"]


def test_the_map_bears_the_claims_out(hello: Ran) -> None:
    regions = hello.json["map"]
    text = [r for r in regions if r["kind"] == "text"]
    assert text and all(r["perms"].startswith("r-x") for r in text)
    pointer = int(claim(hello, 4)["measured"].partition("the pointer ")[2].split()[0], 16)
    [home] = [r for r in regions if int(r["low"], 16) <= pointer < int(r["high"], 16)]
    assert home["kind"] == "rodata"


def row_has(row: Row, kind: str) -> bool:
    return kind.replace(" ", "_") in {str(k) for k in row.kinds}


def test_kinds_begin_where_the_picture_has_them(hello: Ran) -> None:
    told = re.findall(r"([a-z][a-z ]*) (0x[0-9a-f]+)", claim(hello, 10)["measured"])
    assert len(told) >= 6
    drawn = rows(from_json(hello.out, ExplainReport).map)
    for kind, low in told:
        inside = next(row for row in drawn if row.low <= int(low, 16) < row.high)
        assert row_has(inside, kind), (kind, low, inside)


def test_evidence_tells_what_was_measured(hello: Ran) -> None:
    told = {number: "\n".join(claim(hello, number)["evidence"]) for number in range(1, 15)}
    for number, fact in {
        5: "copied of main.main: header of 16 bytes at 0x",
        7: "at the stop in main.bottom: stack [0x",
        8: "runtime.maxstacksize is 1000000000",
        10: "first text: [0x",
        11: "memstats.numgc was 0",
        12: "runtime.",
    }.items():
        assert fact in told[number], told[number]


def test_no_claim_is_made_without_evidence() -> None:
    with pytest.raises(ValueError, match="claim 3 is told without evidence"):
        Claim("3", "a claim", ClaimVerdict.HOLDS, "measured", ())
    bare = b'{"id": "3", "claim": "c", "verdict": "holds", "measured": "m", "evidence": []}'
    with pytest.raises(msgspec.ValidationError):
        from_json(bare, Claim)


@pytest.mark.contradictory
def test_what_contradicts_the_picture_is_told(hello: Ran) -> None:
    report = from_json(hello.out, ExplainReport)
    assert all(entry.holds for entry in audit_explain(report))
    text = next(r for r in report.map if r.kind is Kind.TEXT)
    lie = replace(report.claims[9], measured=f"measured, lowest first: rodata {text.low}")
    swapped = (report.claims[1], report.claims[0], *report.claims[2:])
    for claims, name in (
        ((*report.claims[:9], lie, *report.claims[10:]), "picture_agrees"),
        (swapped, "claims_whole"),
    ):
        bad = audit_explain(replace(report, claims=claims))
        assert [entry.check for entry in bad if not entry.holds] == [name]


def test_the_stack_that_moved(hello: Ran) -> None:
    measured = claim(hello, 7)["measured"]
    before, after = (
        int(part.split()[0].rstrip(","), 16)
        for part in measured.partition("was at ")[2].split(", then at ")
    )
    assert before != after


def test_text_is_readable() -> None:
    ran = goprobe("explain", env={"NO_COLOR": "1"})
    assert ran.code == 0, ran.err
    assert "The familiar picture of hello.go (built in), measured" in ran.text
    assert [n for n in range(1, 15) if f"\n{n:>2}. " in ran.text] == list(range(1, 15))
    assert "\x1b" not in ran.text


NOTHING = "package main\n\nfunc main() {}\n"
LOUD = """package main

import "fmt"

func main() {
	for i := 0; i < 5000; i++ {
		fmt.Println("again", i)
	}
}
"""


@pytest.mark.parametrize(
    "target",
    [
        "programs/globals.go",
        "programs/ints.go",
        "misbehaving/panics.go",
        "misbehaving/immediate.go",
        "misbehaving/threads.go",
    ],
)
def test_programs_of_any_kind(target: str) -> None:
    complete(goprobe("explain", "--json", PROGRAMS / target))


@pytest.mark.parametrize("source", [NOTHING, LOUD], ids=["nothing", "loud"])
def test_programs_that_say_nothing_or_much(source: str, tmp_path: Path) -> None:
    (tmp_path / "main.go").write_text(source)
    complete(goprobe("explain", "--json", tmp_path / "main.go"))


def test_a_program_that_prints_without_fmt(tmp_path: Path) -> None:
    (tmp_path / "main.go").write_text(
        'package main\n\nimport "os"\n\nfunc main() {\n\tmsg := "written"\n'
        "\tfor i := 0; i < 50; i++ {\n\t\tos.Stdout.WriteString(msg)\n\t}\n}\n"
    )
    ran = goprobe("explain", "--json", tmp_path / "main.go")
    complete(ran)
    verdicts = {claim["id"]: claim["verdict"] for claim in ran.json["claims"]}
    assert all(verdicts[str(n)] != "not_observable" for n in (2, 3, 4))


@pytest.mark.parametrize("flags", [(), ("-ldflags=-s -w",), ("-buildmode=pie",)], ids=str)
def test_compiled_programs(flags: tuple[str, ...]) -> None:
    ran = goprobe("explain", "--json", go.build(PROGRAMS / "hello.go", flags=flags))
    complete(ran)
    for number in (9, 14):
        assert claim(ran, number)["verdict"] == "not_observable"
        assert "source" in claim(ran, number)["measured"]
    assert claim(ran, 7)["verdict"] == "holds"
    # A PIE's code may lie above the Go heap, whose base is random since Go 1.26.
    first = claim(ran, 1)
    below = "memory of Go's heap and runtime below it" in first["measured"]
    assert below == (first["verdict"] == "differs")
    assert not below or "-buildmode=pie" in flags


@pytest.mark.skipif(not go.has_gcc(), reason="cgo needs gcc")
def test_a_program_with_cgo_has_libraries() -> None:
    source = 'package main\n\nimport "C"\n\nfunc main() { println("with C") }\n'
    ran = goprobe("explain", "--json", go.build(source, env={"CGO_ENABLED": "1"}))
    complete(ran)
    assert claim(ran, 12)["verdict"] == "differs"
    assert "libc" in claim(ran, 12)["measured"]


@pytest.mark.parametrize(
    ("target", "code"), [("absent.go", 2), ("misbehaving/nocompile.go.txt", 2), ("hello.go", 3)]
)
def test_what_cannot_be_measured(target: str, code: int) -> None:
    env = {"GOPROBE_GO": "/nowhere/go"} if code == 3 else {}
    ran = goprobe("explain", PROGRAMS / target, env=env)
    assert (ran.code, ran.out) == (code, b"")
    assert ran.err.startswith("goprobe: ") and "Traceback" not in ran.err
