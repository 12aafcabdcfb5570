"""What is noted and counted without a stop is what breakpoints would have told."""

from __future__ import annotations

import subprocess
from collections import Counter
from pathlib import Path

import pytest
from iced_x86 import Decoder, FlowControl

from goprobe.arch.codestarts import CodeStarts
from goprobe.binary.elf.elf import ElfFile
from goprobe.process.tracer.run import ProbeSite
from tests.process.test_tracer import STEPS
from tests.process.traced import MANY, done, releases, trace
from tests.support.calls import functions
from tests.support.go import build


def _starts(binary: Path, pattern: str) -> dict[int, CodeStarts]:
    """The code of functions, by the addresses of their instructions."""
    elf, code = ElfFile(binary), dict[int, CodeStarts]()
    for function in functions(binary, pattern):
        raw = elf.read(function.address, function.size)
        starts = CodeStarts(raw, function.address)
        code.update((one.ip, starts) for one in Decoder(64, raw, ip=function.address))
    return code


@releases
def test_several_short_instructions_are_noted_as_one(go: str) -> None:
    binary = build(STEPS, go=go)
    plain = subprocess.run([binary], capture_output=True, text=True).stdout
    code = _starts(binary, r"^main\.(work|alloc|through|main)$")
    rooms = {pc: room for pc, starts in code.items() if (room := starts.covering.room(pc))}
    assert len(rooms) > 8
    # Each by itself, as what lies behind it must have no breakpoint of its own.
    for pc, room in rooms.items():
        asked = [ProbeSite(pc, 0, limit=1, only_whether=True)]
        stopped = trace(binary, probes=asked)
        noted = trace(binary, probes=[ProbeSite(pc, 0, 1, only_whether=True, room=room)])
        for run in (stopped, noted):
            done(run)
            assert run.out == plain
        assert noted.outcome.stops == 0
        assert noted.outcome.ran == stopped.outcome.ran, hex(pc)


@releases
@pytest.mark.parametrize("room", [False, True])
def test_breakpoints_in_the_middle_of_what_could_be_covered(go: str, room: bool) -> None:
    binary = build(STEPS, go=go)
    plain = subprocess.run([binary], capture_output=True, text=True).stdout
    code = _starts(binary, r"^main\.(work|alloc|through|main)$")
    asked = [
        ProbeSite(pc, pc, limit=1, only_whether=True, room=starts.covering.room(pc) if room else 0)
        for pc, starts in code.items()
    ]
    run = trace(binary, probes=asked)
    done(run)
    assert run.out == plain
    assert len(run.outcome.ran) > len(asked) // 2


@releases
def test_what_is_covered_by_several_threads_that_take_signals(go: str) -> None:
    """The program compares its results with what it stored, and its profiler interrupts it."""
    binary = build(MANY, go=go)
    code = _starts(binary, r"^main\.(alloc|main\.func\d+)$")
    asked: list[ProbeSite] = []
    end = 0
    for pc, starts in sorted(code.items()):
        room = starts.covering.room(pc)
        if room and pc >= end:
            asked.append(ProbeSite(pc, pc, 1, only_whether=True, room=room))
            end = pc + room
    assert len(asked) > 4
    run = trace(binary, "4", "400000", "profile", probes=asked)
    done(run)
    assert run.said() == 4 * 400000
    assert run.outcome.ran and not run.outcome.probes


FRAMES = """package main

import (
	"fmt"
	"io"
	"runtime/debug"
	"runtime/pprof"
	"sync"
)

type T struct{ a, b, c, d int }

//go:noinline
func read(t *T) int { return t.a + t.d }

//go:noinline
func deep(n int) int {
	if n == 0 {
		return 0
	}
	return deep(n-1) + 1
}

//go:noinline
func frame(i int) int {
	t := T{a: i, d: 1}
	return read(&t) + deep(i%64)
}

func main() {
	debug.SetGCPercent(5)
	pprof.StartCPUProfile(io.Discard)
	defer pprof.StopCPUProfile()
	var wg sync.WaitGroup
	sums := make([]int, 4)
	for g := range sums {
		g := g
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := 0; i < 100000; i++ {
				sums[g] += frame(i)
			}
		}()
	}
	wg.Wait()
	fmt.Println(sums)
}
"""


def _long(binary: Path, pattern: str) -> list[int]:
    """The instructions of functions that a jump covers, and that run elsewhere."""
    elf, found = ElfFile(binary), list[int]()
    by_hand = (FlowControl.CALL, FlowControl.UNCONDITIONAL_BRANCH)
    for function in functions(binary, pattern):
        decoder = Decoder(64, elf.read(function.address, function.size), ip=function.address)
        found += [i.ip for i in decoder if i.len >= 5 and i.flow_control not in by_hand]
    return found


@releases
@pytest.mark.parametrize("most", [20, 10_000_000])
def test_uses_of_the_frame_are_counted_each_time(go: str, most: int) -> None:
    """While a profiler interrupts the program, and stacks grow."""
    binary = build(FRAMES, go=go)
    code = _long(binary, r"^main\.frame$")
    frame, beyond = (
        trace(binary, probes=[ProbeSite(pc, pc, most, counts=True, above=above) for pc in code])
        for above in (16, 1 << 30)
    )
    times = min(most, 400_000)
    for run in (frame, beyond):
        done(run)
        assert run.out == "[5003200000 5003200000 5003200000 5003200000]\n".replace(
            "5003200000", str(sum(i + 1 + i % 64 for i in range(100000)))
        )
        assert run.outcome.stops == 0
        ran = sorted(ran for ran, _ in run.outcome.counted.values())
        # The others run where the stack grows.
        assert ran[4:] == [times] * (len(ran) - 4) and len(ran) > 8
    assert all(ran == inside for ran, inside in frame.outcome.counted.values())
    assert all(inside == 0 for _, inside in beyond.outcome.counted.values())


@releases
def test_what_is_counted_is_what_breakpoints_tell(go: str) -> None:
    binary = build(STEPS, go=go)
    plain = subprocess.run([binary], capture_output=True, text=True).stdout
    code = _long(binary, r"^main\.(work|alloc|through|main)$")
    most = 3_000
    counted = trace(binary, probes=[ProbeSite(pc, pc, most, counts=True) for pc in code])
    stopped = trace(binary, probes=[ProbeSite(pc, pc, most) for pc in code])
    for run in (counted, stopped):
        done(run)
        assert run.out == plain
    hits = Counter(hit.site.probe_id for hit in stopped.outcome.probes)
    told = counted.outcome.counted
    # Once: where the scheduler wants a goroutine to stop.
    often = {pc: ran for pc, (ran, _) in told.items() if ran > 1}
    assert len(often) > 10
    assert often == {pc: hits[pc] for pc in told if hits[pc] > 1}


@releases
def test_what_is_counted_by_several_threads_that_take_signals(go: str) -> None:
    """The program compares its results with what it stored, and its profiler interrupts it."""
    binary = build(MANY, go=go)
    code = _long(binary, r"^main\.(alloc|main\.func\d+)$")
    probes = [ProbeSite(pc, pc, 10_000_000, counts=True) for pc in code]
    run = trace(binary, "4", "400000", "profile", probes=probes)
    done(run)
    assert run.said() == 4 * 400000
    assert any(ran == 4 * 400000 for ran, _ in run.outcome.counted.values())
