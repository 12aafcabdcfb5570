"""`goroutines` against what programs print of their own (runtime.Stack), by the thousand."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest
from msgspec import UNSET

from goprobe.analysis.goroutines import survey
from goprobe.analysis.goroutines.goroutines import goroutines
from goprobe.model.attached import GoroutineGroup, GoroutinesReport, GoroutineState
from goprobe.runtime.goroutines import table
from goprobe.target.live import open_target, stopped_target
from tests.support.go import Running, build, has_gcc, matrix, running

TARGETS = Path(__file__).parents[2] / "testdata" / "targets"
SOURCE = TARGETS / "goroutines.go"
PARKED = 10_000
_HEADER = re.compile(r"goroutine (\d+)(?: gp=\S+ m=\S+(?: mp=\S+)?)? \[(.*)\]:")
_CREATED = re.compile(r"created by (.*?)(?: in goroutine (\d+))?")

Frame = tuple[str, str, int]


@dataclass(frozen=True, slots=True)
class Printed:
    """A goroutine as the runtime prints it: `frames` of (function, file, line), innermost first."""

    id: int
    state: str
    locked: bool
    frames: tuple[Frame, ...]
    created_by: str
    parent: int
    created_at: tuple[str, int]


def parse(text: str) -> list[Printed]:
    return [_parse(block.split("\n")) for block in text.strip().split("\n\n")]


def _parse(lines: list[str]) -> Printed:
    header = _HEADER.fullmatch(lines[0])
    assert header, lines[0]
    state, *notes = header[2].split(", ")
    frames: list[Frame] = []
    created_by, parent, created_at = "", 0, ("", 0)
    for call, place in zip(lines[1::2], lines[2::2], strict=True):
        path, line = place.strip().split(" ")[0].rsplit(":", 1)
        if made := _CREATED.fullmatch(call):
            created_by, parent = made[1], int(made[2] or 0)
            created_at = path, int(line)
            continue
        frames.append((call[: call.rindex("(")], Path(path).name, int(line)))
    return Printed(
        int(header[1]),
        state,
        "locked to thread" in notes,
        tuple(frames),
        created_by,
        parent,
        created_at,
    )


@dataclass(frozen=True, slots=True)
class Compared:
    program: Running
    printed: dict[int, Printed]
    report: GoroutinesReport
    found: dict[int, GoroutineState]


@pytest.fixture(
    scope="module",
    params=[(go, flags) for go in matrix() for flags in ((), ("-ldflags=-s -w",))],
    ids=lambda p: f"{p[0]} {'stripped' if p[1] else 'plain'}",
)
def compared(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Compared]:
    go, flags = request.param
    dump = tmp_path_factory.mktemp("dump") / "goroutines.txt"
    with running(build(SOURCE, go=go, flags=flags), str(PARKED), str(dump)) as program:
        report = goroutines(open_target(program.pid), stacks=True)
        printed = {p.id: p for p in parse(dump.read_text())}
        yield Compared(program, printed, report, {g.id: g for g in report.goroutines})


def _shown(g: GoroutineState) -> tuple[Frame, ...]:
    """The frames that the runtime prints: unexported functions of its own left out."""
    frames = g.frames if g.frames is not UNSET else ()
    return tuple(
        (f.function, Path(f.file).name, f.line)
        for f in frames
        if not re.match(r"runtime\.[^A-Z]", f.function)
    )


def test_a_stop_tells_the_same_as_a_child(
    compared: Compared, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert compared.report.snapshot == "fork"  # they are many
    monkeypatch.setattr(survey, "_worth_a_child", lambda _target: False)
    stopped = goroutines(open_target(compared.program.pid), stacks=True)
    assert stopped.snapshot == "stop"
    assert {g.id for g in stopped.goroutines if g.status == "waiting"} >= {
        g.id for g in compared.report.goroutines if g.wait_reason == "chan receive"
    }
    assert {(g.frames, g.created_by) for g in stopped.goroutines if not g.system} >= {
        (g.frames, g.created_by)
        for g in compared.report.goroutines
        if g.wait_reason == "chan receive"
    }


def test_ids(compared: Compared) -> None:
    assert len(compared.printed) > PARKED + 40
    assert len(compared.found) == len(compared.report.goroutines)
    users = {g.id for g in compared.found.values() if not g.system}
    assert users == set(compared.printed)
    assert compared.report.dead >= 1


def test_states_and_reasons(compared: Compared) -> None:
    for printed in compared.printed.values():
        g = compared.found[printed.id]
        if printed.id == 1:
            assert (printed.state, g.status) == ("running", "syscall")
        elif any(function == "main.spin" for function, *_ in printed.frames):
            assert g.status in ("running", "runnable", "preempted"), g
        else:
            assert (g.wait_reason or g.status) == printed.state, g
            assert g.status in ("waiting", "syscall")
        assert g.locked == printed.locked, g


def test_stacks(compared: Compared) -> None:
    for printed in compared.printed.values():
        g = compared.found[printed.id]
        assert g.frames_end is UNSET, g
        shown = _shown(g)
        if printed.id == 1:
            assert (g.function, shown[-1][0]) == ("syscall.Syscall", "main.main")
        elif "main.spin" in (function for function, *_ in printed.frames):
            assert shown[-1][0] == "main.spin"
        else:
            assert shown == printed.frames
            assert g.function == printed.frames[0][0]
        assert (g.created_by, g.parent) == (printed.created_by, printed.parent), g


def test_bounds_use_and_threads(compared: Compared) -> None:
    alive = compared.found.values()
    for g in alive:
        assert 0 < g.stack.used <= g.stack.high - g.stack.low, g
    stacks = sorted((g.stack.low, g.stack.high) for g in alive)
    assert all(a[1] <= b[0] for a, b in pairwise(stacks))
    on_threads = [g.thread for g in alive if g.status in ("running", "syscall")]
    assert len(set(on_threads)) == len(on_threads) >= 7
    tasks = {int(t.name) for t in Path(f"/proc/{compared.program.pid}/task").iterdir()}
    assert set(on_threads) <= tasks


def test_how_long_they_wait(compared: Compared) -> None:
    # The runtime notes the time only when a collection sees them waiting.
    noted = [g.waiting_us for g in compared.found.values() if g.waiting_us is not UNSET]
    assert all(0 < us < 3600 * 10**6 for us in noted)


WAITING = """package main

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"sync"
	"time"
)

func main() {
	var lock sync.Mutex
	lock.Lock()
	none := make(chan int)
	for range make([]int, 4) {
		go func() { <-none }()
		go func() { lock.Lock() }()
	}
	time.Sleep(100 * time.Millisecond)
	fmt.Println("ready")
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		all := make([]byte, 1<<16)
		fmt.Println(string(all[:runtime.Stack(all, true)]))
		fmt.Println("end")
	}
	lock.Unlock()
}
"""


@pytest.mark.parametrize("go", matrix())
def test_minutes_are_those_that_the_runtime_prints(go: str) -> None:
    """Where it has noted since when they wait, as a collection does: here the test does."""
    with running(build(WAITING, go=go)) as program:
        target = open_target(program.pid)
        with stopped_target(target) as stopped:
            places = [
                g.address + target.layout.offset("g", "waitsince")
                for g in stopped.world.goroutines.known
                if g.status == "waiting" and g.id > 1
            ]
        now = time.monotonic_ns()
        with open(f"/proc/{program.pid}/mem", "r+b", buffering=0) as memory:
            for i, place in enumerate(places):
                memory.seek(place)
                memory.write((now - (30 + 60 * i) * 10**9).to_bytes(8, "little"))
        told = {g.id: g.waiting_us for g in goroutines(target).goroutines}
        program.say("stacks")
        text = "\n".join(program.read_until("end"))
        printed = re.findall(r"^goroutine (\d+) \[[^\],]+, (\d+) minutes\]", text, re.M)
    assert len(printed) >= 7
    for number, minutes in printed:
        waited = told[int(number)]
        assert waited is not UNSET
        assert waited // 60_000_000 == int(minutes)


def test_groups(compared: Compared) -> None:
    groups = compared.report.groups
    counts = [group.count for group in groups]
    assert counts == sorted(counts, reverse=True)
    assert sorted(i for group in groups for i in group.ids) == sorted(compared.found)
    parks = {
        len([f for f in group.frames if f.function == "main.park"]): group.count
        for group in groups
        if any(f.function == "main.park" for f in group.frames)
    }
    assert parks == Counter(1 + i % 7 for i in range(PARKED))
    for group in groups:
        members = [compared.found[i] for i in group.ids]
        assert {(m.status, m.wait_reason, m.frames) for m in members} == {
            (group.status, group.wait_reason, group.frames)
        }


def test_runtimes_own(compared: Compared) -> None:
    system = [g for g in compared.found.values() if g.system]
    reasons = Counter(g.wait_reason for g in system)
    # Those of the collector may be at work at any moment; the rest stand.
    assert "finalizer wait" in reasons
    assert len(system) >= 4


DEEP = 6000  # calls: more than 1.3 MiB of stack


def _deep_groups(report: GoroutinesReport) -> list[GoroutineGroup]:
    return [g for g in report.groups if any(f.function == "main.down" for f in g.frames)]


def test_deep_stacks_are_whole_and_told_apart_by_their_outer_ends() -> None:
    with running(build(TARGETS / "deep.go"), str(DEEP)) as program:
        groups = _deep_groups(goroutines(open_target(program.pid), stacks=True))
    depths = {sum(f.function == "main.down" for f in g.frames): g.count for g in groups}
    assert depths == {DEEP + 1: 2, DEEP + 2: 2, DEEP + 3: 2}
    for group in groups:
        assert group.frames[-1].function == "runtime.goexit"
        assert group.frames_end is UNSET


def test_where_stacks_are_too_much_to_read_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "_BUDGET", 6 << 14)
    with running(build(TARGETS / "deep.go"), str(DEEP)) as program:
        report = goroutines(open_target(program.pid), stacks=True)
    (group,) = _deep_groups(report)
    assert group.count == 6
    assert group.frames_end is not UNSET
    assert group.frames_end.startswith("the stack goes on: only its innermost ")


@pytest.mark.skipif(not has_gcc(), reason="the race detector needs cgo")
@pytest.mark.parametrize("go", matrix())
def test_where_the_race_detector_was_called_from_is_not_guessed(go: str) -> None:
    binary = build(TARGETS / "racing.go", go=go, flags=("-race",), env={"CGO_ENABLED": "1"})
    ended = 0
    with running(binary) as program:
        target = open_target(program.pid)
        for _ in range(60):
            report = goroutines(target, stacks=True)
            (g,) = (g for g in report.goroutines if g.created_by == "main.main" and not g.system)
            frames = [f.function for f in g.frames] if g.frames is not UNSET else []
            if g.frames_end is UNSET:
                own = [function for function in frames if function.startswith("main.")]
                assert own == ["main.leaf", "main.main.func1"]
            else:
                assert "not noted" in str(g.frames_end)
                # A signal may have come while C's code ran.
                assert not any("." in f for f in frames if f != "runtime.cgoSigtramp"), frames
                ended += 1
    assert ended
