"""Counting and inspecting allocations: how much slower a program gets, and how many hits a second
each way of seeing them can take."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from goprobe.analysis.escape.allocationcall import CALL_SIZE
from goprobe.analysis.escape.calls import CodeMap
from goprobe.binary.elf.elf import ElfFile
from goprobe.errors import NoGdbError
from goprobe.process.gdb.controller import Gdb
from goprobe.process.tracer.run import CountedCall, RunOutcome, run_counted
from goprobe.runtime.image.program import GoProgram
from goprobe.toolchain.find import find_gdb
from scripts.benchmarks.timing import Figure, side_by_side
from tests.support.calls import calls
from tests.support.go import build

HOT = """package main

import (
	"os"
	"strconv"
	"sync"
)

type T struct{ a, b, c, d int }

var sinks [64]*T

//go:noinline
func alloc(i, k int) { sinks[k] = &T{a: i} }

func main() {
	each, _ := strconv.Atoi(os.Args[1])
	goroutines, _ := strconv.Atoi(os.Args[2])
	var wg sync.WaitGroup
	for g := 0; g < goroutines; g++ {
		wg.Add(1)
		go func(g int) {
			defer wg.Done()
			for i := 0; i < each; i++ {
				alloc(i, 8*g)
			}
		}(g)
	}
	wg.Wait()
}
"""

SITES = 500
MILLION = 1_000_000
_INSPECTED = 20_000
_GDB_HITS = 300


def many_sites() -> str:
    """A program that allocates at each of 500 places 1,000 times."""
    places = "\n".join(
        f"//go:noinline\nfunc f{i}(k int) {{ sinks[{i}] = &T{{a: k}} }}" for i in range(SITES)
    )
    rounds = "\n".join(f"\t\tf{i}(k)" for i in range(SITES))
    return (
        f"package main\ntype T struct{{ a, b, c, d int }}\nvar sinks [{SITES}]*T\n{places}\n"
        f"func main() {{\n\tfor k := 0; k < 1000; k++ {{\n{rounds}\n\t}}\n}}\n"
    )


class Target:
    """A program and the allocations of its own functions."""

    def __init__(self, source: str, *args: str) -> None:
        self.binary: Path = build(source)
        self.args = args
        found = calls(self.binary, r"^main\.(alloc|f\d+)$", r"^runtime\.(mallocgc|newobject)")
        self.sites = [CountedCall(call.pc, call.callee, at) for at, call in enumerate(found)]
        code = CodeMap(GoProgram(ElfFile(self.binary)))
        self.allocator = code.allocator_calls([call.pc + CALL_SIZE for call in found])

    def plain(self) -> None:
        subprocess.run([self.binary, *self.args], check=True)

    def traced(self, inspect: int = 32) -> RunOutcome:
        outcome = run_counted(
            self.binary, self.args, sites=self.sites, inspect=inspect, allocator=self.allocator
        )
        assert outcome.exit_code == 0 and not outcome.partial, outcome
        return outcome


def measure(runs: int) -> Iterator[Figure]:
    yield from _one_hot_site(runs)
    yield from _many_sites(runs)
    yield from _engines(runs)


def _one_hot_site(runs: int) -> Iterator[Figure]:
    for what, each, goroutines in (
        ("1,000,000 allocations at one site", MILLION, 1),
        ("20,000,000 by 4 goroutines", 5 * MILLION, 4),
    ):
        target = Target(HOT, str(each), str(goroutines))
        outcome = target.traced()
        wrong = sum(abs(n - each * goroutines) for n in outcome.counts.values())
        wrong += sum(abs(n.objects - each * goroutines) for n in outcome.made.values())
        taken = side_by_side(runs, {"plain": target.plain, "traced": target.traced})
        yield Figure(f"{what}: miscounted", wrong, "hits", 0)
        yield Figure(f"{what}: plain", taken["plain"], "s")
        limit = 1.5 * taken["plain"] + 1
        yield Figure(f"{what}: counted, 32 inspected", taken["traced"], "s", limit)
        yield Figure(f"{what}: ratio", taken["traced"] / taken["plain"], "times")


def _many_sites(runs: int) -> Iterator[Figure]:
    target = Target(many_sites())
    assert len(target.sites) == SITES
    outcome = target.traced()
    yield Figure(
        "500 sites of 1,000 hits: miscounted",
        sum(abs(n - 1000) for n in outcome.counts.values()),
        "hits",
        0,
    )
    taken = side_by_side(
        runs,
        {"plain": target.plain, "counted": lambda: target.traced(0), "traced": target.traced},
    )
    counted = taken["counted"] - taken["plain"]
    inspected = taken["traced"] - taken["plain"]
    yield Figure("500 sites: cost of counting alone", counted, "s")
    yield Figure("500 sites: cost with 16,000 hits inspected", inspected, "s", 3.0)


def _engines(runs: int) -> Iterator[Figure]:
    target = Target(HOT, str(20 * MILLION), "1")
    taken = side_by_side(min(runs, 3), {"traced": lambda: target.traced(0)})
    yield Figure("counting trampoline", 20 * MILLION / taken["traced"], "hits/s")
    target = Target(HOT, str(_INSPECTED), "1")
    taken = side_by_side(runs, {"traced": lambda: target.traced(_INSPECTED)})
    yield Figure(
        "arguments by trampoline, results by breakpoint", _INSPECTED / taken["traced"], "hits/s"
    )
    try:
        yield Figure("GDB breakpoint, resumed from Python over MI", _gdb_rate(target), "hits/s")
    except NoGdbError as error:
        print(f"  {error.message}: not compared with it")


def _gdb_rate(target: Target) -> float:
    tool = find_gdb()
    quiet = os.open(os.devnull, os.O_RDWR)
    try:
        with Gdb(tool.command, environment=tool.environment) as gdb:
            gdb.launch(target.binary, target.args, stdin=quiet, stdout=quiet, stderr=quiet)
            gdb.insert_breakpoint(target.sites[0].pc)
            gdb.resume(timeout=30)
            start = time.perf_counter()
            for _ in range(_GDB_HITS):
                gdb.resume(timeout=30)
            return _GDB_HITS / (time.perf_counter() - start)
    finally:
        os.close(quiet)
