"""`goroutines --waits` against a program that says what each of its goroutines waits on."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec import UNSET

from goprobe.analysis.waits.deadlocks import circles
from goprobe.analysis.waits.waits import in_graph
from goprobe.model.attached import GoroutinesReport, GoroutineState, WaitsOn
from goprobe.report import RenderOptions, render
from goprobe.target.core import open_core
from goprobe.target.live import open_target
from tests.support.cli import goprobe as command
from tests.support.gdb import write_core
from tests.support.go import Running, build, matrix, running

PROGRAM = Path(__file__).parents[2] / "testdata" / "goroutines" / "waits.go"
_HOUR = 3_600_000_000


@pytest.fixture(scope="module", params=[(go, s) for go in matrix() for s in ("", "stripped")])
def program(request: pytest.FixtureRequest) -> Iterator[Running]:
    go, stripped = request.param
    flags = ("-ldflags=-s -w",) if stripped else ()
    with running(build(PROGRAM, go=go, flags=flags)) as found:
        yield found


@pytest.fixture(scope="module")
def report(program: Running) -> GoroutinesReport:
    return in_graph(open_target(program.pid))


def said(program: Running) -> dict[str, tuple[int, str, str, str]]:
    """Id, kind, address and operation by the goroutine's name."""
    words = [line.split() for line in program.lines if line.startswith("wait ")]
    return {w[1]: (int(w[2]), w[3].replace("_", " "), w[4], w[5]) for w in words}


def named(program: Running, report: GoroutinesReport, name: str) -> GoroutineState:
    number = said(program)[name][0]
    return next(state for state in report.goroutines if state.id == number)


def waits(program: Running, report: GoroutinesReport, name: str) -> WaitsOn:
    """What it says that it waits on."""
    address = said(program)[name][2]
    every = named(program, report, name).waits_on
    return next(w for w in every if address == "0x0" or str(w.address) == address)


def stripped(report: GoroutinesReport) -> bool:
    return not any(w.name == "main.global" for s in report.goroutines for w in s.waits_on)


def test_each_waits_on_what_it_said(program: Running, report: GoroutinesReport) -> None:
    by_id = {state.id: state for state in report.goroutines}
    for name, (number, kind, address, operation) in said(program).items():
        fits = [
            w
            for w in by_id[number].waits_on
            if w.kind == kind
            and (address == "0x0" or str(w.address) == address)
            and (kind == "nothing" or w.operation.startswith(operation))
        ]
        assert fits, (name, by_id[number].waits_on)
        assert not by_id[number].waits_on[0].why


def test_how_that_stands(program: Running, report: GoroutinesReport) -> None:
    sender = waits(program, report, "sender")
    assert (sender.type, sender.length, sender.capacity) == ("chan string", 1, 1)
    assert waits(program, report, "mutex").state == "locked, 1 waits"
    assert waits(program, report, "wlock").state == "1 read, a writer waits"
    assert waits(program, report, "rlock").state.startswith("locked")
    assert waits(program, report, "group").state == "counter 2, 1 waits"
    select = named(program, report, "select").waits_on
    assert {(w.operation, w.type) for w in select} == {
        ("receive", "chan int"),
        ("send", "chan int8"),
    }


def test_what_is_left_out_is_told(
    program: Running, report: GoroutinesReport, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not report.notes
    assert any(w.owners for s in report.goroutines for w in s.waits_on)
    monkeypatch.setattr("goprobe.analysis.waits.possession._MOST_WALKED", 0)
    some = in_graph(open_target(program.pid))
    assert not any(w.owners for s in some.goroutines for w in s.waits_on)
    (note,) = some.notes
    assert re.search(r"the stacks of [1-9]\d* that may tell of it were not looked at", note)
    for form in ("text", "html"):
        assert "were not looked at" in " ".join(
            render(some, form, RenderOptions()).decode().split()
        )


def test_when_timers_fire(program: Running, report: GoroutinesReport) -> None:
    for name, hours in (("sleep", 1), ("after", 2), ("ticker", 3)):
        fires = waits(program, report, name).fires_in_us
        assert fires is not UNSET
        assert (hours - 0.2) * _HOUR < fires <= hours * _HOUR
    assert waits(program, report, "ticker").every_us == 3 * _HOUR


def test_the_kernels_side(program: Running, report: GoroutinesReport) -> None:
    words = [line.split() for line in program.lines]
    facts = {w[1]: w[2] for w in words if w[0] in ("local", "descriptor")}
    accept, read = (waits(program, report, name) for name in ("accept", "read"))
    assert (accept.type, accept.local, accept.remote) == ("tcp", facts["listen"], "")
    assert (read.type, read.local, read.remote) == ("tcp", facts["dial"], facts["listen"])
    call = waits(program, report, "pipe").call
    assert re.fullmatch(rf"read\({facts['pipe']}, 0x[0-9a-f]+, 77\)", call)


def test_names_and_holders(program: Running, report: GoroutinesReport) -> None:
    holder = said(program)["holder"][0]
    assert holder in {h.goroutine for h in waits(program, report, "select").holders}
    if stripped(report):
        return
    expected = {
        "receiver": "main.hub.queue",
        "holder": "main.hub.parts[2].jobs",
        "mutex": "main.global",
        "field": "main.hub.parts[1].mu",
        "wlock": "main.hub.parts[1].rw",
        "group": "main.hub.group",
        "cond": "main.kept",
    }
    assert {name: waits(program, report, name).name for name in expected} == expected
    assert f"main.holder: mine (goroutine {holder})" in waits(program, report, "select").held_by


def test_deadlocks(program: Running, report: GoroutinesReport) -> None:
    number = {name: fact[0] for name, fact in said(program).items()}
    assert report.deadlocks is not UNSET
    assert {d.goroutines for d in report.deadlocks} == {
        tuple(sorted((number["first"], number["second"]))),
        tuple(sorted((number["one"], number["two"]))),
    }
    assert all(len(d.steps) == 2 for d in report.deadlocks)
    assert all(named(program, report, name).leaked for name in ("first", "two"))


def test_groups_tell_it_and_exit_code_says_so(program: Running) -> None:
    ran = command("goroutines", str(program.pid), "--waits")
    assert ran.code == 1
    assert "wait for each other" in ran.text
    assert max(map(len, ran.text.splitlines())) <= 80


def test_a_core_tells_the_same(tmp_path: Path) -> None:
    binary, file = build(PROGRAM), tmp_path / "core"
    with running(binary) as program:
        live = in_graph(open_target(program.pid))
        write_core(program.pid, file)
    core = in_graph(open_core(str(file), str(binary)))
    then = {s.id: s.waits_on for s in core.goroutines}
    for state in live.goroutines:
        for now, was in zip(state.waits_on, then[state.id], strict=True):
            assert (now.kind, now.address, now.operation) == (was.kind, was.address, was.operation)
    assert core.deadlocks == live.deadlocks
    assert all(s.waiting_us is UNSET for s in core.goroutines)


def test_who_waits_for_the_same_does_not_wait_for_each_other() -> None:
    assert circles({1: {"a"}, 2: {"a"}}, {"a": {1, 2}}) == []
    assert circles({1: {"a"}, 2: {"b"}, 3: {"a"}}, {"a": {2}, "b": {1, 3}}) == [[1, 2, 3]]
    assert circles({1: {"a"}, 2: {"b"}}, {"a": {2}, "b": {5}}) == []


def test_the_page_tells_it(program: Running, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    ran = command("goroutines", str(program.pid), "--waits", "--format", "html", "-o", str(page))
    assert ran.code == 1
    text = page.read_text()
    assert text.count("wait for each other") == 2
    assert "send to channel" in text
    assert "fires in" in text
