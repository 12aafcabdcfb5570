"""The checks of stops, each broken on purpose, on stops of real programs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from msgspec import UNSET
from msgspec.structs import replace

import goprobe
from goprobe.analysis.trace.audit import audit_trace
from goprobe.analysis.trace.auditstops import StopFacts, audit_stop
from goprobe.analysis.trace.trace import TraceRequest, trace
from goprobe.api.script import live
from goprobe.model.address import Address
from goprobe.model.location import Kind
from goprobe.model.report import Audited
from goprobe.model.trace import StopReport, TraceReport
from goprobe.model.value import State, Value, Variable
from tests.support.go import matrix, toolchain

PROGRAM = """package main

import "fmt"

type point struct{ x, y int64 }

//go:noinline
func add(p point, n *int64, by float64) int64 {
	fmt.Print("")
	*n += p.x
	return *n + p.y + int64(by)
}

func main() {
	here := point{3, 4}
	n := int64(5)
	sum := add(here, &n, 1.5)
	fmt.Println(sum, here)
}
"""


@pytest.fixture(scope="module", params=matrix())
def report(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> TraceReport:
    source = tmp_path_factory.mktemp("stops") / "main.go"
    source.write_text(PROGRAM)
    with Path(os.devnull).open("w") as sink:
        return trace(
            TraceRequest(
                str(source),
                breaks=("main.go:9", "main.add"),
                go=str(toolchain(request.param)),
                stdout_fd=sink.fileno(),
            )
        )


@pytest.mark.parametrize("go", matrix())
def test_a_program_stands_at_its_entry_without_a_caller(go: str, tmp_path: Path) -> None:
    source = tmp_path / "main.go"
    source.write_text(PROGRAM)
    with Path(os.devnull).open("w") as sink:
        made = trace(
            TraceRequest(
                str(source), breaks=("_rt0_amd64",), go=str(toolchain(go)), stdout_fd=sink.fileno()
            )
        )
    assert [[f.function for f in stop.frames] for stop in made.stops] == [["_rt0_amd64"]]
    assert all(entry.holds for entry in made.audit)


def at(report: TraceReport, where: str) -> StopReport:
    return next(s for s in report.stops if s.reason.endswith(where))


def failed(stop: StopReport, report: TraceReport) -> set[str]:
    return {e.check for e in audit_stop(StopFacts(stop, report.map)) if not e.holds}


def with_variable(stop: StopReport, name: str, **changes: Any) -> StopReport:
    made = tuple(replace(v, **changes) if v.name == name else v for v in stop.variables)
    return replace(stop, variables=made)


def named(stop: StopReport, name: str) -> Variable:
    return next(v for v in stop.variables if v.name == name)


def test_what_is_told_holds(report: TraceReport) -> None:
    assert {e.check for e in report.audit} >= {"places_apart", "regions_apart", "frames_nest"}
    assert not report.contradictions


@pytest.mark.contradictory
def test_stacks_and_frames_that_cannot_be_are_told(report: TraceReport) -> None:
    stop = at(report, "main.go:9")
    assert not failed(stop, report)
    assert stop.stack is not UNSET
    away = Address(stop.stack.high + 8)
    assert failed(replace(stop, sp=away), report) == {"stands_in_it"}
    assert failed(replace(stop, pc=Address(1)), report) == {"stands_in_it"}
    first, second, *rest = stop.frames
    swapped = replace(stop, frames=(first, replace(second, cfa=first.cfa), *rest))
    assert "frames_nest" in failed(swapped, report)
    upside = replace(stop, frames=(first, replace(second, sp=Address(second.cfa + 8)), *rest))
    assert "frames_nest" in failed(upside, report)


@pytest.mark.contradictory
def test_variables_that_cannot_be_there_are_told(report: TraceReport) -> None:
    stop = at(report, "main.go:9")
    p = named(stop, "p")
    assert p.state is State.LIVE and p.location is not UNSET and p.size is not UNSET
    elsewhere = with_variable(stop, "p", address=Address(p.location.address + 8))
    assert failed(elsewhere, report) == {"variables_placed"}
    assert failed(with_variable(stop, "p", size=1 << 30), report) == {"variables_placed"}
    assert failed(with_variable(stop, "p", frame=99), report) == {"variables_placed"}
    below = replace(p.location, detail={**p.location.detail, "live": False})
    assert failed(with_variable(stop, "p", location=below), report) == {"variables_placed"}
    literal = replace(p.location, kind=Kind.RODATA)
    assert failed(with_variable(stop, "p", location=literal), report) == {"picture_agrees"}
    wild = replace(p.location, address=Address(8))
    assert failed(with_variable(stop, "p", location=wild, address=Address(8)), report) == {
        "picture_agrees"
    }


@pytest.mark.contradictory
def test_two_variables_in_one_place_are_told(report: TraceReport) -> None:
    stop = at(report, "main.go:9")
    p, n = named(stop, "p"), named(stop, "n")
    same = with_variable(stop, "n", address=p.address, location=p.location)
    assert failed(same, report) == {"places_apart"}
    x = replace(p, name="x", type="int64", size=n.size, address=n.address, location=n.location)
    assert failed(replace(stop, variables=(*stop.variables, x)), report) == {"places_apart"}
    # The same bits as a number of another type, or an inlined call's parameter: that may be.
    twin = replace(n, name="m")
    assert not failed(replace(stop, variables=(*stop.variables, twin)), report)
    entry = at(report, "main.add")
    number = replace(named(entry, "n"), name="k", type="int64")
    assert named(entry, "n").state is State.REGISTER
    both = replace(entry, variables=(*entry.variables, number))
    assert failed(both, report) == {"places_apart"}


@pytest.mark.contradictory
def test_fewer_registers_than_the_value_needs_are_told(report: TraceReport) -> None:
    stop = at(report, "main.add")
    p = named(stop, "p")
    assert p.state is State.REGISTER and p.register and len(p.register.split()) == 2
    assert failed(with_variable(stop, "p", register="rax"), report) == {"pieces_whole"}
    told = with_variable(stop, "p", register="rax", partly=True)
    assert not failed(told, report)


@pytest.mark.contradictory
def test_a_trace_tells_what_any_of_its_stops_says(report: TraceReport) -> None:
    stop = at(report, "main.go:9")
    p = named(stop, "p")
    bad = with_variable(stop, "p", size=1 << 30)
    stops = tuple(bad if s is stop else s for s in report.stops)
    (entry,) = (e for e in audit_trace(replace(report, stops=stops)) if not e.holds)
    assert entry.check == "variables_placed"
    assert entry.says == (
        f"p of main.add of {1 << 30} bytes at {p.address} reaches beyond its stack"
    )


def test_a_session_warns_of_a_stop_that_contradicts_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "main.go"
    source.write_text(PROGRAM)
    lie = Audited("places_apart", holds=False, says="rax is a and b at once")
    monkeypatch.setattr(live, "audit_stop", lambda facts: (lie,))
    go = str(toolchain())
    with (
        Path(os.devnull).open("w") as sink,
        goprobe.launch(str(source), go=go, stdout=sink.fileno()) as program,
    ):
        stop = next(program.run(["main.add"]))
        with pytest.warns(goprobe.StopWarning, match="main.add: rax is a and b at once"):
            assert stop.variables


@pytest.mark.contradictory
def test_a_value_that_the_running_call_was_not_passed_is_told(report: TraceReport) -> None:
    stop = at(report, "main.add")
    assert stop.frames[0].line == 8 and named(stop, "here").state is State.LIVE
    assert not failed(stop, report)
    stale = with_variable(stop, "here", value=Value("main.point{x:3, y:9}"))
    assert failed(stale, report) == {"passed_on_alike"}
    unsure = with_variable(stop, "here", value=Value("main.point{x:3, …}"))
    assert not failed(unsure, report)
