"""`goprobe escape` as a gate for CI: SARIF, annotations and exit codes of real runs."""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from jsonschema_rs import Draft202012Validator

from goprobe.report.schema import shipped
from tests.support.cli import Ran, goprobe
from tests.support.schemas import hold_sarif

SOURCE = """package main

import "os"

var kept []*int
var numbers []int

//go:noinline
func keep(i int) { kept = append(kept, &i) }

//go:noinline
func local(n int) int {
	s := make([]int, n)
	s[0] = n
	return s[0] + len(s)
}

func main() {
	for i := 0; i < 5; i++ {
		keep(i) //goprobe:noalloc
	}
	numbers = append(numbers, local(1000)) //goprobe:noalloc
	if len(os.Args) > 1 {
		ENDING
	}
}
"""


def folder(place: Path, ending: str = "os.Exit(3)") -> Path:
    (place / "a module").mkdir()
    (place / "a module" / "go.mod").write_text("module example.com/m\n\ngo 1.21\n")
    (place / "a module" / "main.go").write_text(SOURCE.replace("ENDING", ending))
    return place / "a module"


def escape(place: Path, *options: str) -> Ran:
    return goprobe("escape", ".", *options, cwd=place)


def sarif_run(ran: Ran) -> Any:
    schema = os.environ.get("GOPROBE_SARIF_SCHEMA", "")
    log = json.loads(ran.out)
    if schema:
        hold_sarif(log, Path(schema))
    assert log["version"] == "2.1.0"
    return log["runs"][0]


def test_one_run_is_written_in_every_format_with_paths_from_the_root(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    place = folder(tmp_path)
    ran = escape(
        place, "--fail-on", "confirmed_heap", "-o", "sarif=o.sarif", "-o", "json=o.json",
        "-o", "markdown=o.md", "--format", "github",
    )  # fmt: skip
    assert ran.code == 1
    report = json.loads((place / "o.json").read_text())
    run = sarif_run(Ran(0, (place / "o.sarif").read_bytes(), ""))
    Draft202012Validator(shipped("goprobe.escape/1")).validate(report)
    counted = Counter(r["ruleId"] for r in run["results"])
    assert counted["confirmed_heap"] == report["summary"]["confirmed_heap"]
    assert counted["promise"] == sum(not a["held"] for a in report["assertions"]) == 1
    assert set(counted) <= {"confirmed_heap", "promise", "spilled_to_heap"}
    places = [r["locations"][0]["physicalLocation"] for r in run["results"]]
    assert {p["artifactLocation"]["uri"] for p in places} == {"a%20module/main.go"}
    assert len({json.dumps(r["partialFingerprints"]) for r in run["results"]}) == len(places)
    assert run["invocations"][0]["executionSuccessful"] is True
    assert "::error file=a module/main.go,line=22," in ran.text
    assert "### goprobe escape:" in (place / "o.md").read_text()


def test_annotations_are_of_what_is_broken_alone(tmp_path: Path) -> None:
    ran = escape(folder(tmp_path), "--format", "github")
    lines = ran.text.splitlines()
    assert ran.code == 1
    assert any(
        line.startswith("::error file=main.go,line=22,title=goprobe%3Anoalloc is broken::")
        for line in lines
    )
    assert not any("line=20," in line for line in lines)
    assert all(line.startswith(("::error ", "::warning ", "::notice ")) for line in lines)


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (("--fail-on", "contradicted"), 0),
        (("--fail-on", "unobserved, deferred_heap"), 0),
        (("--fail-on", "confirmed_heap"), 1),
        (("--static",), 0),
    ],
)
def test_exit_codes_without_promises(tmp_path: Path, options: tuple[str, ...], code: int) -> None:
    place = folder(tmp_path)
    main = place / "main.go"
    main.write_text(main.read_text().replace(" //goprobe:noalloc", ""))
    assert escape(place, *options).code == code


def test_the_program_s_own_code_is_no_finding(tmp_path: Path) -> None:
    place = folder(tmp_path)
    main = place / "main.go"
    main.write_text(main.read_text().replace(" //goprobe:noalloc", ""))
    ran = escape(place, "--json", "--", "x")
    assert (ran.code, ran.json["exit"], ran.json["partial"]) == (0, {"code": 3}, "")


@pytest.mark.parametrize("form", ["text", "json", "sarif", "github", "html"])
def test_a_run_that_was_not_seen_to_its_end_is_4_in_every_format(tmp_path: Path, form: str) -> None:
    ran = escape(folder(tmp_path, "for {}"), "--format", form, "--timeout", "1", "--", "x")
    assert (ran.code, "Traceback" in ran.err) == (4, False)
    assert "it still ran after 1 s and was ended" in ran.text or form == "github"
    if form == "sarif":
        assert sarif_run(ran)["invocations"][0]["executionSuccessful"] is False
    if form == "github":
        assert any("still ran" in line for line in ran.text.splitlines())


@pytest.mark.parametrize(
    ("end", "code"), [('panic("the end")', 4), ("<-make(chan int)", 4), ("os.Exit(3)", 0)]
)
def test_a_program_that_panics_is_4(tmp_path: Path, end: str, code: int) -> None:
    body = f"\tprintln(os.Args[0])\n\t{end}\n"
    main = f'package main\n\nimport "os"\n\nfunc main() {{\n{body}}}\n'
    (tmp_path / "main.go").write_text(main)
    ran = goprobe("escape", tmp_path / "main.go")
    assert (ran.code, "as Go ends what panics" in " ".join(ran.text.split())) == (code, code == 4)


def test_a_program_that_a_signal_ended_is_4(tmp_path: Path) -> None:
    main = tmp_path / "main.go"
    main.write_text(
        'package main\n\nimport "syscall"\n\nvar sink *int\n\nfunc main() {\n\tsink = new(int)\n'
        "\tsyscall.Kill(syscall.Getpid(), syscall.SIGKILL)\n\tselect {}\n}\n"
    )
    ran = goprobe("escape", main, "--json")
    assert (ran.code, ran.json["exit"]) == (4, {"signal": "SIGKILL"})


def test_what_does_not_build_is_2_and_writes_nothing(tmp_path: Path) -> None:
    ran = escape(folder(tmp_path, "nonsense("), "--format", "sarif")
    assert (ran.code, ran.out) == (2, b"")
    assert "does not build" in ran.err and "Traceback" not in ran.err
