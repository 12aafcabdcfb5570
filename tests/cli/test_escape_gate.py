"""`goprobe escape` over time: what changed, what fails, several compilers, a project's settings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.cli import Ran, goprobe
from tests.support.go import matrix, toolchain

BEFORE = """package d

type T struct{ a, b int }

var sink any
var keep *T

func small(v int) { keep = &T{v, v} }

//go:noinline
func parse(depth int) int {
	t := T{depth, 1}
	return t.a + t.b
}

//go:noinline
func gone(n int) { sink = n + 1000 }

func twice() { sink = make([]int, 10) }

func untouched(n int) { sink = make([]int, n) }
"""
AFTER = """package d

// Lines and functions have moved, one is inlined no more.

type T struct{ a, b, c int }

var sink any
var keep *T

//go:noinline
func untouched(n int) { sink = make([]int, n) }

//go:noinline
func parse(depth int) int {
	t := T{depth, 1, 2}
	sink = depth + 1000
	keep = &t
	return t.a + t.b
}

func small(v int) { keep = &T{v, v, v} }

//go:noinline
func gone(n int) {}

func twice() { sink = make([]int, 10); sink = make([]int, 10) }
"""
TESTS = """package d

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

func TestAll(t *testing.T) {
	for i := 0; i < 100; i++ {
		small(i)
		parse(i)
		gone(i)
		twice()
		untouched(7)
	}
}

func TestEnvironment(t *testing.T) {
	folder, _ := os.Getwd()
	path, err := exec.LookPath("go")
	version, _ := exec.Command("go", "env", "GOVERSION").Output()
	if os.Getenv("PWD") != folder || err != nil || !strings.Contains(string(version), "RELEASE") {
		t.Fatal(os.Getenv("PWD"), folder, path, err, string(version))
	}
}

func TestFails(t *testing.T) {
	if os.Getenv("FAIL") != "" {
		t.Fatal("it does")
	}
}
"""


@pytest.fixture(scope="module", params=matrix())
def grown(request: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Ran]:
    """A package that has grown since its baseline, and what is said of it."""
    go, place = request.param, tmp_path_factory.mktemp("grown")
    (place / "go.mod").write_text("module example.com/d\n\ngo 1.21\n")
    (place / "a_test.go").write_text(TESTS.replace("RELEASE", go))
    settings = f'[escape]\npackages = ["."]\ntest = true\ngo = "{toolchain(go)}"\n'
    (place / "goprobe.toml").write_text(
        f'{settings}baseline = "old.json"\nfail-on = ["new-heap", "more-allocations=50%"]\n'
    )
    (place / "a.go").write_text(BEFORE)
    (place / "below").mkdir()
    written = goprobe("escape", "--write-baseline", cwd=place / "below")
    assert (written.code, (place / "old.json").exists()) == (0, True), written.err
    (place / "a.go").write_text(AFTER)
    return place, goprobe("escape", "-o", "json=new.json", "--format", "json", cwd=place)


def test_what_changed_is_told_by_function_and_words(grown: tuple[Path, Ran]) -> None:
    _, ran = grown
    assert ran.code == 1
    (comparison,) = ran.json["comparisons"]
    changes = {
        (c["kind"], c["function"].rpartition(".")[2]): c
        for c in comparison["changes"]
        if c["file"].endswith("a.go") and c["expression"] != "conversion to an interface"
    }
    assert set(changes) == {
        ("new", "parse"), ("more", "twice"), ("larger", "small"), ("gone", "gone"),
    }  # fmt: skip
    told = {name: (c["allocations_before"], c["allocations"]) for (_, name), c in changes.items()}
    assert told == {"parse": (0, 100), "twice": (200, 400), "small": (100, 100), "gone": (100, 0)}
    assert [c["fails"] for c in changes.values()].count(True) == 2
    new = [c for c in comparison["changes"] if c["kind"] == "new"]
    assert {c["expression"] for c in new} == {"t", "depth + 1000"}
    assert all("sink = depth + 1000" in c["why"] or "keep = &t" in c["why"] for c in new)


def test_code_alone_is_not_held_against_the_baseline_of_runs(grown: tuple[Path, Ran]) -> None:
    """As the pre-commit hook asks, in a project whose tests have a baseline."""
    place, _ = grown
    ran = goprobe("escape", "--static", "--json", cwd=place)
    assert (ran.code, ran.json["comparisons"]) == (0, []), ran.err
    assert "--static: not compared with" in ran.err
    refused = goprobe("escape", "--static", "--baseline", "old.json", cwd=place)
    assert (refused.code, "of code alone" in refused.err) == (2, True)


def test_two_reports_are_compared_without_a_run(grown: tuple[Path, Ran]) -> None:
    place, ran = grown
    both = [str(place / "old.json"), str(place / "new.json")]
    again = goprobe("escape", "--diff", *both, "--json").json["comparisons"][0]["changes"]
    assert [c["function"] for c in again] != []
    assert {json.dumps({**c, "fails": False}) for c in ran.json["comparisons"][0]["changes"]} == {
        json.dumps(c) for c in again
    }
    assert goprobe("escape", "--diff", *both, "--fail-on", "more-allocations=150%").code == 1
    same = goprobe("escape", "--diff", both[0], both[0], "--fail-on", "new-heap")
    assert (same.code, "Nothing changed" in same.text) == (0, True)
    text = goprobe("escape", "--diff", *both).text
    assert "+ " in text and "new, 100 allocations" in text


def test_tests_run_as_go_test_runs_them_and_failures_are_findings(grown: tuple[Path, Ran]) -> None:
    place, ran = grown
    assert ran.json["failed"] == ""
    failing = goprobe(
        "escape", "--run", "Fails", "--fail-on", "contradicted", "--json", cwd=place,
        env={"FAIL": "1"} | _environment(),
    )  # fmt: skip
    assert (failing.code, failing.json["failed"]) == (1, "example.com/d (code 1)")


def _environment() -> dict[str, str]:
    from tests.support.cli import environment

    return environment()


def test_a_part_of_the_report(grown: tuple[Path, Ran]) -> None:
    place, _ = grown
    ran = goprobe(
        "escape", ".", "--test", "--only", "confirmed_heap", "--file", "a.go", "--repeat", "2",
        "-o", "json=part.json", cwd=place,
    )  # fmt: skip
    part = json.loads((place / "part.json").read_text())
    assert {(s["verdict"], s["file"]) for s in part["sites"]} == {("confirmed_heap", "a.go")}
    assert part["runs"] == 2
    least = {s["expression"]: s["least"] for s in part["sites"]}
    assert least["t"] == 100 and least["make([]int, n)"] == 200  # of slices, and of their boxes
    assert "only sites of confirmed_heap in a.go" in ran.text
    refused = goprobe("escape", "--diff", place / "part.json", place / "new.json")
    assert (refused.code, "report of a part" in refused.err) == (2, True)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--diff", "a"), "--diff takes two reports"),
        (("--diff", "go.mod", "go.mod"), "no report of goprobe escape"),
        ((".", "--fail-on", "new-heap"), "nothing to compare with"),
        ((".", "--fail-on", "more-allocations=x"), "knows no verdict"),
        ((".", "--go", "1.3"), "there is no Go 1.3 here"),
        ((".", "--repeat", "0"), "--repeat takes numbers"),
        ((".", "-o", "a", "-o", "b"), "several files in one format"),
        ((".", "-o", "pprof=a"), "there is no format 'pprof'"),
        ((".", "--write-baseline"), "no baseline is named"),
    ],
)
def test_what_cannot_be_asked(tmp_path: Path, options: tuple[str, ...], said: str) -> None:
    (tmp_path / "go.mod").write_text("module example.com/d\n\ngo 1.21\n")
    (tmp_path / "a.go").write_text("package main\n\nfunc main() {}\n")
    ran = goprobe("escape", *options, cwd=tmp_path)
    assert ran.code in (2, 3)
    assert said in ran.err


def test_settings_that_no_option_has(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.goprobe.escape]\ntets = 1\n")
    ran = goprobe("escape", ".", cwd=tmp_path)
    assert (ran.code, "there is no escape.tets" in ran.err) == (2, True)
    (tmp_path / "goprobe.toml").write_text("[escape\n")
    assert "is no TOML" in goprobe("escape", ".", cwd=tmp_path).err
