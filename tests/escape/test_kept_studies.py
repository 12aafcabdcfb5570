"""What is known of a binary is kept: what a later run takes from there, and what it does not."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from msgspec.structs import replace

import goprobe
from goprobe.analysis.escape import studycache
from goprobe.analysis.escape.codereader import CodeReader
from goprobe.analysis.escape.staticstudy import StaticStudy
from goprobe.binary.cache import load, store
from goprobe.model.escape import BenchmarkRun, EscapeReport
from tests.escape.corpus import go_environment
from tests.escape.hardship import module
from tests.support.go import matrix, toolchain

SOURCE = """package k

var sink any
var Counts = map[string][20]int{}

func Grow(into []byte, n int) []byte { return append(into, make([]byte, n)...) }

func Keep(n int) {
	sink = &struct{ a, b int }{n, n}
	Counts["n"] = [20]int{n}
}
"""
TEST = """package k

import "testing"

func TestAll(t *testing.T) {
	for i := 0; i < 40; i++ {
		Grow(nil, 1000+i)
		Keep(i)
	}
}

func BenchmarkKeep(b *testing.B) {
	b.Run("inner", func(b *testing.B) {
		for i := 0; i < b.N; i++ {
			Keep(i)
		}
	})
}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    cache = tmp_path / "cache"
    cache.mkdir()
    monkeypatch.setenv("GOCACHE", str(Path.home() / ".cache" / "go-build"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    for name, text in (("go.mod", "module k\n\ngo 1.21\n"), ("k.go", SOURCE), ("k_test.go", TEST)):
        (tmp_path / name).write_text(text)
    return tmp_path


def told(folder: Path, go: str, *promises: str, bench: str = "") -> EscapeReport:
    with go_environment(), (folder / "out").open("w") as output:
        return goprobe.escape(
            ".", test=True, go=str(toolchain(go)), cwd=str(folder), promises=promises,
            bench=bench, stdout=output.fileno(), stderr=output.fileno(),
        )  # fmt: skip


def reads(monkeypatch: pytest.MonkeyPatch) -> list[None]:
    """One for each time that code is read from now on."""
    seen: list[None] = []
    read = CodeReader.read

    def noted(self: CodeReader) -> StaticStudy:
        seen.append(None)
        return read(self)

    monkeypatch.setattr(CodeReader, "read", noted)
    return seen


def shown(report: EscapeReport) -> list[object]:
    """What does not depend on where things lay in a run."""
    return [
        replace(site, outcomes=tuple(replace(o, address=site.calls[0].pc) for o in site.outcomes))
        if site.calls
        else site
        for site in report.sites
    ] + list(report.assertions)


@pytest.mark.parametrize("go", matrix())
def test_a_binary_is_read_once(folder: Path, go: str, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = reads(monkeypatch)
    promises = ("k.Grow noalloc", "k.Keep nodynamic")
    first, second = told(folder, go, *promises), told(folder, go, *promises)
    assert shown(first) == shown(second) and len(seen) == 1
    assert {a.text: a.held for a in second.assertions} == {
        "noalloc k.Grow": False, "nodynamic k.Keep": True,
    }  # fmt: skip
    # Other promises are another question; what is run is none.
    told(folder, go)
    inner = told(folder, go, bench="Keep")
    assert len(seen) == 2
    assert inner.benchmarks == (BenchmarkRun("BenchmarkKeep/inner", 101),)
    assert sum(s.allocations for s in inner.sites if s.expression.startswith("&struct")) == 101
    # A comment, which is in no code.
    source = SOURCE.replace("return append", "//goprobe:noalloc\n\treturn append").replace(
        "return append(into, make([]byte, n)...) }", "return append(into, make([]byte, n)...)\n}"
    )
    (folder / "k.go").write_text(source)
    assert [a.text for a in told(folder, go).assertions] == ["noalloc"]
    assert len(seen) == 3


def test_entries_that_are_not_of_the_binary_are_not_used(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = reads(monkeypatch)
    kept: dict[str, StaticStudy] = {}
    keep = studycache.keep_study
    monkeypatch.setattr(
        "goprobe.analysis.escape.study.keep_study",
        lambda key, study: (kept.update({key: study}), keep(key, study)),
    )
    whole = shown(told(folder, matrix()[-1]))
    ((key, study),) = kept.items()
    room = studycache.room()
    assert load(room, key, StaticStudy) == study
    pc, target = next(iter(study.others.items()))
    for wrong in (
        replace(study, others={pc + 1: target}),
        replace(study, watched=frozenset((1,))),
        replace(study, sources={str(folder / "k.go"): ""}),
    ):
        store(room, key, wrong)
        before = len(seen)
        assert shown(told(folder, matrix()[-1])) == whole and len(seen) == before + 1


def test_what_the_compiler_said_outlives_go_s_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a binary that is still the right one Go says again what the compiler said, but only where
    its own cache has it: sites were told as such of which the compiler says nothing."""
    cache = Path.home() / ".cache" / "go-build"
    monkeypatch.setenv("GOCACHE", str(cache))
    source = f"package main // {tmp_path}\n\nvar sink any\n\nfunc main() {{ sink = new(int) }}\n"
    folder = module(tmp_path, {"main.go": source})
    began, told = time.time(), []
    for _ in range(2):
        report = goprobe.escape(".", static=True, go=str(toolchain()), cwd=str(folder))
        told.append([(site.expression, site.prediction) for site in report.sites])
        fresh = [kept for kept in cache.glob("??/*-d") if kept.stat().st_mtime >= began]
        for kept in fresh:
            content = kept.read_bytes() if kept.stat().st_size < 1 << 20 else b""
            if b"new(int)" in content or str(tmp_path).encode() in content:
                kept.unlink()
    assert told[0] == told[1] and ("new(int)", "heap") in told[0]
