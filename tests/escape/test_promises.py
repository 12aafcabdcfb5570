"""Promises of the source, held against what the program says of its own allocations."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile

import pytest

import goprobe
from goprobe.model.escape import Assertion, EscapeReport, Site, Verdict
from goprobe.model.trace import Exit
from tests.escape.corpus import go_environment
from tests.support.go import matrix, toolchain

FOLDER = Path(__file__).resolve().parents[2] / "testdata" / "promises"
releases = pytest.mark.parametrize("go", matrix())


@dataclass(frozen=True)
class Ran:
    """A program's report, what it printed, and its source."""

    report: EscapeReport
    printed: str
    source: list[str]

    def promise(self, mark: str) -> Assertion:
        """The one above, or at the end of, the first line that holds `mark`."""
        at = next(n for n, text in enumerate(self.source, 1) if mark in text)
        lines = [at] if "//goprobe:" in self.source[at - 1] else range(at - 1, 0, -1)
        found = {a.line: a for a in self.report.assertions}
        return next(found[n] for n in lines if n in found)

    def sites(self, mark: str) -> list[Site]:
        at = next(n for n, text in enumerate(self.source, 1) if mark in text)
        return [s for s in self.report.sites if s.line == at and not s.parameter]


def run(name: str, go: str, **options: object) -> Ran:
    source = FOLDER / f"{name}.go"
    with go_environment(), TemporaryFile() as printed:
        report = goprobe.escape(
            str(source),
            go=str(toolchain(go)),
            timeout=120,
            stdout=printed.fileno(),
            **options,  # type: ignore[arg-type]
        )
        printed.seek(0)
        text = printed.read().decode()
    assert report.exit == Exit(code=0), text
    assert not [s for s in report.sites if s.verdict is Verdict.CONTRADICTED]
    return Ran(report, text, source.read_text().splitlines())


def kept(report: EscapeReport, function: str) -> bool:
    """What the assert for test suites says of the same code."""
    try:
        goprobe.assert_no_allocation(report, function)
    except AssertionError:
        return False
    return True


@releases
@pytest.mark.parametrize("name", ["first32", "inlined"])
def test_a_promise_holds_where_the_programs_own_counts_say_so(name: str, go: str) -> None:
    """Results that nobody looked at, and copies inlined, whatever became of their arguments."""
    seen = run(name, go)
    mallocs = dict(re.findall(r"^(\w+) (?:mallocs )?(\d+)", seen.printed, re.M))
    assert len(mallocs) == len(seen.report.assertions) >= 10
    for function, count in mallocs.items():
        if function == "recv":  # who sends allocates as well
            continue
        promise = seen.promise(f"{function}(")
        assert promise.held is (int(count) == 0), (function, count, promise.why)
        assert promise.known
        name = "(*set).add" if function == "add" else function
        assert kept(seen.report, f"main.{name}") is promise.held


@releases
def test_promises_that_hold_and_those_that_nobody_can_know_of(go: str) -> None:
    seen = run("rest", go)
    names = ("room", "nothing", "waits", *(("early",) if go >= "1.26" else ()))
    held = {name: seen.promise(f"{name}(") for name in names}
    assert all(p.held and p.known for p in held.values()), held
    assert "cannot allocate" in held["nothing"].why
    assert "nothing was allocated" in held["waits"].why
    # Its buffer in the frame is never left: Go 1.26 has one for append.
    assert seen.promise("func early").known
    never, dropped = seen.promise("func never"), seen.promise("func dropped")
    assert not never.held and not never.known and "never ran" in never.why
    assert not dropped.held and not dropped.known and "not in this binary" in dropped.why
    # Growing apart from the first insert, of "", it only finds what is there.
    assert seen.promise("func counted").known
    for name in ("(*buffer).room", *names[1:]):
        assert kept(seen.report, f"main.{name}"), name
    for name in ("never", "action", "where", "outOf"):
        assert not kept(seen.report, f"main.{name}"), name


@releases
def test_what_the_runtime_allocates_by_the_way_is_somebodys(go: str) -> None:
    words = ("noalloc deep", "noalloc except panics", "noalloc deep except panics")
    seen = run("rest", go, promises=tuple(f"main.outOf {said}" for said in words))
    for mark in ("runtime.Caller", "return s[i]"):
        promise = seen.promise(mark)
        assert not promise.held and promise.known, (mark, promise.why)
    # By word, a panic's record is none of it; a proof says what the run has seen, too.
    named = {a.text: a for a in seen.report.assertions if not a.file}
    assert not named["noalloc deep main.outOf"].held
    assert "it did: " in named["noalloc deep main.outOf"].why
    assert all(named[f"{said} main.outOf"].held for said in words[1:]), named


@releases
def test_what_a_once_runs_is_apart_from_what_comes_after(go: str) -> None:
    """The literal that is given to sync.Once alone: no other one, none of a promise without it."""
    ran = run("once", go)
    for function, held in (("One", True), ("Two", True), ("Other", False), ("Both", False),
                           ("Plain", False)):  # fmt: skip
        assert ran.promise(f"func {function}(").held is held, function


@releases
def test_counts_are_what_was_counted(go: str) -> None:
    seen = run("rest", go)
    (made,) = seen.sites("func zero")
    assert (made.hits, made.allocations, made.bytes) == (1040, 40, 4000)
    assert "ran 1,040 times and allocated 40 times" in made.reason
    assert run("rest", go, hits=0).sites("func zero")[0].allocations == 40


@releases
def test_a_promise_in_lines_that_are_renamed(go: str) -> None:
    promise = run("rest", go).promise("func action")
    assert not promise.held and promise.known and "(grammar.y:102)" in promise.why


@releases
def test_what_only_looks_like_a_promise(go: str) -> None:
    found = {a.why: a for a in run("rest", go).report.assertions if not a.held}
    for why in ("no spaces", "there is no such promise", "`type`", "no code"):
        assert any(why in told for told in found), why


@releases
def test_a_package_without_tests_keeps_no_promise(go: str, tmp_path: Path) -> None:
    files = {
        "go.mod": "module example.com/m\n\ngo 1.21\n",
        "a/a.go": "package a\n\n//goprobe:noalloc\nfunc A() int { return 1 }\n",
        "b/b.go": "package b\n\nfunc B() int { return 1 }\n",
        "b/b_test.go": 'package b\n\nimport "testing"\n\nfunc TestB(t *testing.T) { B() }\n',
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    with go_environment(), Path("/dev/null").open("w") as nothing:
        report = goprobe.escape(
            "./...", test=True, go=str(toolchain(go)), cwd=tmp_path, stdout=nothing.fileno()
        )
    (promise,) = report.assertions
    assert not promise.held and not promise.known and "has no tests" in promise.why


@releases
def test_large_keys_and_elements_lie_in_objects_of_their_own(go: str) -> None:
    seen = run("bigmapvalues", go)
    _, mallocs, total, key_mallocs, key_total = map(int, seen.printed.split())
    (element,), (key,) = seen.sites("m[i] = wide{}"), seen.sites("m[key{")
    assert "elements are larger than 128 bytes" in element.reason
    assert "keys are larger than 128 bytes" in key.reason
    for site, count, size in ((element, mallocs, total), (key, key_mallocs, key_total)):
        others = [s for s in seen.report.sites if s.function == site.function and s != site]
        made = site.allocations + sum(max(0, s.allocations) for s in others)
        assert site.allocations >= 5 and made == count
        assert 0.7 * size <= site.bytes + sum(max(0, s.bytes) for s in others) <= size


WAITING = """\
package main

import (
	"fmt"
	"time"
)

type answer struct {
	text string
	more *int
}

func main() {
	first, second, errs := make(chan answer), make(chan *int), make(chan error)
	for i := 0; i < 5; i++ {
		go func() {
			var got answer
			got = <-first
			fmt.Println(got)
		}()
		go func() {
			select {
			case a := <-first:
				fmt.Println(a)
			case p := <-second:
				fmt.Println(p)
			case err := <-errs:
				fmt.Println(err)
			}
		}()
		go func() {
			value := 7
			second <- &value
		}()
	}
	time.Sleep(100 * time.Millisecond)
}
"""


@releases
@pytest.mark.parametrize("flags", [(), ("-ldflags=-s -w",)])
def test_what_waits_at_a_channel_has_its_values_in_its_stack(
    go: str, flags: tuple[str, ...], tmp_path: Path
) -> None:
    (tmp_path / "go.mod").write_text("module example.com/m\n\ngo 1.21\n")
    (tmp_path / "main.go").write_text(WAITING)
    with go_environment(), Path("/dev/null").open("w") as nothing:
        report = goprobe.escape(
            ".", go=str(toolchain(go)), cwd=tmp_path, flags=flags, stdout=nothing.fileno()
        )
    assert report.exit == Exit(code=0)
    assert not report.dangling
    assert not [s for s in report.sites if s.verdict is Verdict.CONTRADICTED]
