"""Promises that reach into callees: proved, broken by a chain, or unknown for a named hole."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

import goprobe
from goprobe.model.escape import Assertion, EscapeReport, Proof
from goprobe.runtime.entries import entry_of
from tests.escape.corpus import go_environment, release_of
from tests.escape.test_promises import FOLDER, run
from tests.support.go import matrix, toolchain

SOURCE = (FOLDER / "deep.go").read_text()
releases = pytest.mark.parametrize("go", matrix())
WANTED = re.findall(r"^func (\w+)[(\[].*// want: (\w+) ?(.*)$", SOURCE, re.M)
NAMED = (
    "main.add noalloc deep", "main.middle noalloc deep", "strconv.Itoa noalloc deep",
    "main.handsOn noalloc", "main.folded noalloc", "main.foldedAny noalloc deep",
    "main.handed noalloc",
)  # fmt: skip


@cache
def looked_at(go: str) -> EscapeReport:
    return run("deep", go, promises=NAMED).report


def of(report: EscapeReport, function: str) -> Assertion:
    lines = SOURCE.split("\n")
    heads = (f"func {function}(", f"func {function}[")
    head = next(n for n, t in enumerate(lines, 1) if t.startswith(heads))
    at = next(n for n in range(head, 0, -1) if "//goprobe:" in lines[n - 1])
    return next(a for a in report.assertions if a.line == at)


@releases
@pytest.mark.parametrize(("function", "verdict", "told"), WANTED)
def test_what_comes_of_a_promise(go: str, function: str, verdict: str, told: str) -> None:
    promise = of(looked_at(go), function)
    # Go 1.21 calls what is deferred with arguments through a function value, which is not followed,
    # and a closure that calls itself through its variable, which the closure then could set.
    if go == "1.21" and function in ("addsUp", "framed"):
        verdict, told = "unknown", "it calls a function value"
    if verdict == "problem":
        assert (promise.held, promise.known, told in promise.why) == (False, True, True)
        return
    proof = promise.proof
    assert isinstance(proof, Proof)
    assert proof.verdict.value == verdict, promise.why
    assert (promise.held, promise.known) == (verdict == "proved", verdict != "unknown")
    chains = [proof.chain, *(hole.chain for hole in proof.holes)]
    names = " ".join(place.function for chain in chains for place in chain)
    assert told in f"{names} {promise.why}"
    if verdict == "broken":
        assert proof.chain[0].function == f"main.{function}"
        assert all(place.line for place in proof.chain[:-1])
        assert proof.chain[0].file.endswith("deep.go")


@releases
def test_promises_of_the_command_line(go: str) -> None:
    told = looked_at(go).assertions[-len(NAMED) :]
    added, middle, library, hands_on, folded, generic, handed = told
    assert added.held and "proved" in added.why
    assert not middle.held and middle.known and middle.text == "noalloc deep main.middle"
    assert not library.held
    # As a promise above the function: what its literals make counts, too.
    assert not hands_on.held and hands_on.known and "confirmed_heap" in hands_on.why
    at = SOURCE.split("\n").index("\tb := a * 3 //goprobe:noalloc") + 1
    line = next(a for a in looked_at(go).assertions if a.line == at)
    assert not line.known and line.why == folded.why
    assert not folded.known and "it was inlined, and nothing of it was needed" in folded.why
    assert not generic.known and generic.why == folded.why
    assert not handed.held and handed.known and "confirmed_heap" in handed.why
    with pytest.raises(AssertionError, match=r"main\.handed allocates"):
        goprobe.assert_no_allocation(looked_at(go), "main.handed")


@releases
def test_what_is_deleted_from_a_map_allocates_where_maps_grow_by_steps(go: str) -> None:
    proof = of(looked_at(go), "deletes").proof
    assert isinstance(proof, Proof)
    by_steps = release_of(go) < (1, 24)
    assert proof.verdict.value == ("broken" if by_steps else "proved")


@releases
def test_a_line_that_comes_back_to_its_function_answers_for_all_of_it(go: str) -> None:
    at = SOURCE.split("\n").index("\ta := back(n) //goprobe:noalloc deep") + 1
    promise = next(a for a in looked_at(go).assertions if a.line == at)
    assert isinstance(promise.proof, Proof) and promise.proof.verdict.value == "broken"
    assert "main.middle" in [place.function for place in promise.proof.chain]


@releases
def test_exemptions_are_told_where_they_count(go: str) -> None:
    report = looked_at(go)
    for function in ("exempt", "inherits"):
        assert "only on the error path" in of(report, function).why
    assert "after the first call" in of(report, "first").why


@releases
def test_all_that_compiled_code_may_call_stands_in_the_table(go: str) -> None:
    declared = "src/cmd/compile/internal/typecheck/_builtin/runtime.go"
    source = toolchain(go).resolve().parents[1] / declared
    if not source.exists():
        pytest.skip(f"{go} comes without the compiler's source")
    names = re.findall(r"^func (\w+)", source.read_text(), re.M)
    assert len(names) > 150
    for by_steps in (True, False):
        table = {n: entry_of(f"runtime.{n}", release_of(go), by_steps) for n in names}
        assert [name for name, entry in table.items() if entry is None] == []


LIBRARY = {
    "go.mod": "module example.com/lib\n\ngo 1.21\n",
    "l.go": """package lib

type T struct{ n int }

//goprobe:noalloc deep
func (t *T) Add(n int) { t.n += n }

//goprobe:noalloc deep
func Text(n int) string { return helper(n) }

func helper(n int) string { s := make([]byte, n); return string(s) }

/* func Commented( */
func Generic[K any](k K) K { return k }
""",
    "internal/q/q.go": "package q\n\n//goprobe:noalloc deep\nfunc Q(a []int) int { return a[0] }\n",
    "in/internal/p/p.go": "package p\n\n//goprobe:noalloc deep\nfunc P(a []int) {}\n",
    "in/internal/x/internal/y/y.go": "package y\n\n//goprobe:noalloc deep\nfunc Y() {}\n",
    "r/r.go": """package r

type Quiet interface{ Get() int }
type Loud interface{ Make() int }
type T struct{ n []int }

func (t *T) Get() int { return len(t.n) }

func (t *T) Make() int { t.n = make([]int, 3); return 3 }

func Gets(q Quiet) int { return q.Get() }

//goprobe:noalloc deep
func Calls(l Loud) int { return Renamed(l) }

//goprobe:noalloc deep
func Comments(q Quiet, l Loud) int { return q.Get() + l.Make /**/ () }
""",
    # The line that it says it is calls another method.
    "r/s.go": """package r

//go:noinline
func Renamed(l Loud) int {
//line r.go:11
	return l.Make()
}
""",
    "r/t.go": """package r

//line gen.y:20
func Generated(n int) any { return &n }
""",
    "g/g.go": "package g\n\n//go:noinline\nfunc Made[T any](v T) *T { return &v }\n",
    "cmd/a/main.go": """package main

//goprobe:noalloc deep
func main() { println(1) }

func init() { println(g.Made(3)) }
""".replace("main\n", 'main\n\nimport "example.com/lib/g"\n', 1),
    "cmd/b/main.go": "package main\n\n//goprobe:noalloc deep\nfunc main() { select {} }\n",
}


@releases
def test_a_library_is_looked_at_as_if_all_it_exports_were_used(go: str, tmp_path: Path) -> None:
    for name, text in LIBRARY.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    before = sorted(tmp_path.rglob("*"))
    with go_environment():
        report = goprobe.escape("./...", static=True, go=str(toolchain(go)), cwd=tmp_path)
    assert sorted(tmp_path.rglob("*")) == before
    told = {(a.file, a.line): a for a in report.assertions}
    assert {place for place, a in told.items() if a.held} == {
        ("l.go", 5), ("internal/q/q.go", 3), ("in/internal/p/p.go", 3),
        ("in/internal/x/internal/y/y.go", 3), ("cmd/a/main.go", 5), ("cmd/b/main.go", 3),
    }  # fmt: skip
    (generated,) = [site for site in report.sites if site.file == "r/gen.y" and not site.parameter]
    assert (generated.expression, generated.prediction) == ("n", "heap")
    assert not any(told["r/r.go", line].known for line in (13, 16))
    broken = told["l.go", 8].proof
    assert isinstance(broken, Proof) and broken.verdict.value == "broken"
    assert [p.function for p in broken.chain][:2] == [
        "example.com/lib.Text",
        "example.com/lib.helper",
    ]
    # Beside a single program all the same; that tells of generic functions, and each is told once.
    (tmp_path / "cmd/b/main.go").unlink()
    with go_environment():
        report = goprobe.escape("./...", static=True, go=str(toolchain(go)), cwd=tmp_path)
    del told["cmd/b/main.go", 3]
    assert len(report.assertions) == len(told)
    assert {(a.file, a.line): a.held for a in report.assertions} == {
        place: a.held for place, a in told.items()
    }
    (made,) = [site for site in report.sites if site.file == "g/g.go" and not site.parameter]
    assert (made.expression, made.verdict) == ("g.v", "unobserved")  # so the compiler calls it


def test_the_source_wants_all_kinds() -> None:
    assert {verdict for _, verdict, _ in WANTED} == {"proved", "broken", "unknown", "problem"}
    assert Path(FOLDER / "deep.go").exists() and len(WANTED) >= 24
