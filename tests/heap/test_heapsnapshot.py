"""Ways to read a heap at one moment, which must all tell the same."""

from __future__ import annotations

import os
import re
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from goprobe.analysis.heap.graph import HeapGraph
from goprobe.analysis.heap.heap import heap
from goprobe.analysis.heap.questions import HeapQuestions
from goprobe.analysis.heap.snapshot import Manner, take
from goprobe.errors import CannotWorkError, CopyLostError, UsageError
from goprobe.model.heap import HeapReport
from goprobe.process.fork.plan import NoForkError
from goprobe.runtime.heap.words import HeapWords
from goprobe.target.live import open_target
from tests.process.test_fork import copies_of
from tests.support.go import build, matrix, running
from tests.support.heap import TESTDATA

BUSY = """package main

import (
	"fmt"
	"os"
	"time"
)

type node struct {
	next *node
	data []*node
	text string
}

var lists [8]*node

func work(i int) {
	for round := 0; ; round++ {
		lists[i] = &node{next: lists[i], data: make([]*node, round%100), text: fmt.Sprint(round)}
		if round%1000 == 999 {
			lists[i] = nil
		}
		if round%64 == 0 {
			time.Sleep(50 * time.Microsecond)
		}
	}
}

func main() {
	for i := range lists {
		go work(i)
	}
	time.Sleep(50 * time.Millisecond)
	fmt.Println("ready")
	os.Stdin.Read(make([]byte, 1))
}
"""


def _ask(pid: int, how: str) -> HeapReport:
    questions = HeapQuestions(
        types=True, retained=True, dangling=True, unreachable=True, snapshot=how
    )
    return heap(open_target(pid), questions)


@pytest.mark.parametrize("go", matrix())
def test_a_fork_tells_what_a_stop_tells(go: str) -> None:
    binary = build(TESTDATA / "zoo.go", go=go)
    with running(binary) as program:
        stop, fork = _ask(program.pid, "stop"), _ask(program.pid, "fork")
    assert (stop.snapshot, fork.snapshot) == ("stop", "fork")
    # Between the two the runtime's scavenger may set a timer.
    assert abs(stop.census.objects - fork.census.objects) <= 2
    mine = [{t for t in report.types if "main." in t.type} for report in (stop, fork)]
    assert mine[0] == mine[1]
    assert len(mine[0]) > 10
    assert stop.roots and fork.roots
    kept = [
        {r.name: r.retained_bytes for r in roots if r.name.startswith("main.")}
        for roots in (stop.roots, fork.roots)
    ]
    assert kept[0] == kept[1]
    assert not stop.dangling and not fork.dangling


@pytest.mark.parametrize("how", ["stop", "fork"])
def test_a_busy_program_is_read_at_one_moment(how: str) -> None:
    with running(build(BUSY)) as program:
        for _ in range(5):
            report = _ask(program.pid, how)
            assert report.self_check.popcount_mismatches == 0, report.self_check
            assert report.dangling == ()
            types = {t.type: t.objects for t in report.types}
            assert types["main.node"] > 0


def test_the_child_is_gone_afterwards() -> None:
    with running(build(TESTDATA / "zoo.go")) as program:
        before = _processes()
        snapshot = take(open_target(program.pid), Manner(how="fork"))
        assert HeapGraph(snapshot, lambda message: None).reachable.any()
        snapshot.close()
        deadline = time.monotonic() + 5
        while (new := _like(program.pid, before)) and time.monotonic() < deadline:
            time.sleep(0.01)
        assert not new


def _processes() -> set[Path]:
    return {entry for entry in Path("/proc").iterdir() if entry.name.isdecimal()}


def _like(pid: int, before: set[Path]) -> list[Path]:
    """Processes that have come since and run the same program."""
    program = Path(f"/proc/{pid}/exe").readlink()
    found = []
    for entry in _processes() - before:
        try:
            if (entry / "exe").readlink() == program:
                found.append(entry)
        except OSError:
            continue
    return found


@pytest.mark.parametrize("go", matrix())
def test_a_stripped_program_has_its_graph_and_some_types(go: str) -> None:
    whole, bare = (
        build(TESTDATA / "zoo.go", go=go, flags=flags) for flags in ((), ("-ldflags=-s -w",))
    )
    with running(whole) as program:
        known = _ask(program.pid, "")
    with running(bare) as program:
        report = _ask(program.pid, "")
    assert report.self_check.popcount_mismatches == 0
    assert report.graph and known.graph
    assert report.dangling == ()
    assert abs(report.graph.reachable - known.graph.reachable) < 0.05 * known.graph.reachable
    types = {t.type: t.objects for t in report.types}
    if go != "1.21":  # before 1.22 no object carries its type
        assert types["main.big"] == 20
        assert types["main.huge"] == 1


def test_a_heap_larger_than_memory_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("goprobe.analysis.heap.snapshot.available_memory", lambda: 1 << 20)
    refused = pytest.raises(CannotWorkError, match=r"takes about .* MiB of memory here")
    with running(build(TESTDATA / "zoo.go")) as program, refused:
        _ask(program.pid, "")


def test_a_sample_is_looked_at_where_all_is_too_much(monkeypatch: pytest.MonkeyPatch) -> None:
    with running(build(TESTDATA / "million.go"), "20000") as program:
        target = open_target(program.pid)
        whole = heap(target, HeapQuestions(types=True))
        room = 20_000 * 200
        monkeypatch.setattr("goprobe.analysis.heap.snapshot.available_memory", lambda: room)
        part = heap(target, HeapQuestions(types=True, sample=True))
    assert any("of the heap, chosen by chance, was looked at" in w for w in part.warnings)
    said = next(w for w in part.warnings if "in the whole heap" in w)
    told = re.search(r"([\d,]+) to ([\d,]+) main\.node", said)
    assert told, said
    low, high = (int(number.replace(",", "")) for number in told.groups())
    nodes = next(t.objects for t in whole.types if t.type == "main.node")
    assert low < nodes < high  # the choice is the same each time
    assert part.census.objects == whole.census.objects
    assert part.dangling == ()
    counted = [sum(t.objects for t in report.types) for report in (part, whole)]
    assert 0 < counted[0] < counted[1]
    with pytest.raises(UsageError, match="--sample counts types"):
        heap(target, HeapQuestions(types=True, retained=True, sample=True))


def test_where_no_fork_is_safe_it_is_read_while_it_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(pid: int, beside: int) -> None:
        raise NoForkError("a seccomp filter may forbid it to fork")

    monkeypatch.setattr("goprobe.process.fork.plan.plan_fork", refuse)
    with running(build(TESTDATA / "zoo.go")) as program:
        report = _ask(program.pid, "")
        assert report.snapshot == "stop"
        assert report.warnings[0].startswith("no fork was made: a seccomp filter")
        with pytest.raises(CannotWorkError, match="cannot be forked: a seccomp filter"):
            _ask(program.pid, "fork")


def test_a_copy_that_is_ended_is_not_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever ends it, the kernel for want of memory, say: the process itself is read then."""

    def ended_before(*arguments: Any) -> Any:
        for copy in copies_of(program.pid):
            os.kill(copy, signal.SIGKILL)
        return HeapWords(*arguments)

    with running(build(TESTDATA / "zoo.go")) as program:
        honest = _ask(program.pid, "stop")
        monkeypatch.setattr("goprobe.analysis.heap.snapshot.HeapWords", ended_before)
        report = _ask(program.pid, "")
        assert report.snapshot == "stop"
        assert "let go of before it had been read" in report.warnings[0]
        assert report.census.objects >= honest.census.objects * 0.9
        with pytest.raises(CopyLostError, match="somebody else ended it"):
            _ask(program.pid, "fork")
