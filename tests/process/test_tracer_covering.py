"""What is noted and counted without a stop is what breakpoints would have told."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from iced_x86 import Decoder

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
        assert bool(noted.outcome.ran) == bool(stopped.outcome.probes), hex(pc)


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
    ran = run.outcome.ran | {hit.site.probe_id for hit in run.outcome.probes}
    assert len(ran) > len(asked) // 2


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


@releases
@pytest.mark.parametrize("most", [20, 10_000_000])
def test_addresses_of_the_frame_are_counted_each_time(go: str, most: int) -> None:
    binary = build(FRAMES, go=go)
    code = _starts(binary, r"^main\.frame$")
    (pc,) = (pc for pc, starts in code.items() if starts.covering.counts(pc))
    frame, beyond = (
        trace(binary, probes=[ProbeSite(pc, 7, most, counts=True, above=above)])
        for above in (16, 1 << 30)
    )
    for run in (frame, beyond):
        done(run)
        assert run.out == "[5003200000 5003200000 5003200000 5003200000]\n".replace(
            "5003200000", str(sum(i + 1 + i % 64 for i in range(100000)))
        )
        assert run.outcome.stops == 0
    times = min(most, 400_000)
    assert frame.outcome.counted == {7: (times, times)}
    assert beyond.outcome.counted == {7: (times, 0)}
