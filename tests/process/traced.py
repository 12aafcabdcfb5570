"""Programs under the tracer: how tests run them, and what they say of themselves."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from goprobe.analysis.escape.allocationcall import CALL_SIZE
from goprobe.analysis.escape.calls import CodeMap
from goprobe.arch.codestarts import CodeStarts
from goprobe.binary.elf.elf import ElfFile
from goprobe.process.tracer.run import (
    CallHit,
    CountedCall,
    RunOutcome,
    run_counted,
)
from goprobe.runtime.image.program import GoProgram
from tests.support.calls import calls
from tests.support.go import matrix

TIMEOUT = 120.0


ALLOCATORS = r"^runtime\.(mallocgc|newobject)"


releases = pytest.mark.parametrize("go", matrix())


def _symbols(binary: Path) -> list[tuple[str, int]]:
    return [(s.name, s.address) for s in ElfFile(binary).symbols]


def sites_of(binary: Path, caller: str, callee: str) -> list[CountedCall]:
    found = calls(binary, caller, callee)
    assert found, f"no call from {caller} to {callee}"
    return [CountedCall(call.pc, call.callee, number) for number, call in enumerate(found)]


def noted_later(binary: Path, sites: Sequence[CountedCall]) -> dict[str, Any]:
    """What `trace` is to be asked, that the program notes the returns of these calls itself."""
    sweeps = CodeMap(GoProgram(ElfFile(binary))).sweeps()
    assert sweeps
    noted = [replace(s, later=True, room=_room(binary, s.pc + CALL_SIZE)) for s in sites]
    return {"sites": noted, "sweeps": sweeps}


def _room(binary: Path, pc: int) -> int:
    """How many bytes there can be run elsewhere as one."""
    elf = ElfFile(binary)
    function = next(s for s in elf.symbols if s.address <= pc < s.address + s.size)
    code = elf.read(function.address, function.size)
    return CodeStarts(code, function.address).covering.room(pc)


class Traced:
    """A run and what the program printed."""

    def __init__(self, outcome: RunOutcome, out: bytes, err: bytes) -> None:
        self.outcome, self.out, self.err = outcome, out.decode(), err.decode()

    def said(self) -> Any:
        """The JSON value that the program printed last."""
        assert self.out, self.err
        return json.loads(self.out.splitlines()[-1])


def trace(binary: Path, *args: str, sites: Sequence[CountedCall] = (), **options: Any) -> Traced:
    options.setdefault("timeout", TIMEOUT)
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        with open(os.devnull) as nothing:
            outcome = run_counted(
                binary,
                args,
                sites=sites,
                stdin=nothing.fileno(),
                stdout=out.fileno(),
                stderr=err.fileno(),
                **options,
            )
        out.seek(0)
        err.seek(0)
        return Traced(outcome, out.read(), err.read())


def done(run: Traced, code: int = 0) -> None:
    """The program ended as it does untraced, and was followed to its end."""
    outcome = run.outcome
    assert (outcome.exit_code, outcome.signal) == (code, 0), run.err
    assert (outcome.partial, outcome.why) == (False, "")


def check_hits(hits: Sequence[CallHit]) -> None:
    """What must hold of any hits: each call once, the frame where it was."""
    by_site: dict[int, list[int]] = {}
    for hit in hits:
        by_site.setdefault(hit.site.pc, []).append(hit.index)
        if hit.returned:
            assert hit.stack_hi - hit.sp == hit.stack_hi_after - hit.sp_after
    for indices in by_site.values():
        assert len(set(indices)) == len(indices)


MANY = """package main

import (
	"fmt"
	"os"
	"runtime/debug"
	"runtime/pprof"
	"io"
	"strconv"
	"sync"
	"sync/atomic"
)

type T struct{ a, b, c, d int }

var sinks [4096]*T
var count atomic.Int64

//go:noinline
func alloc(i, k int) *T {
	count.Add(1)
	p := &T{a: i, b: k}
	sinks[k&4095] = p
	return p
}

func main() {
	goroutines, _ := strconv.Atoi(os.Args[1])
	each, _ := strconv.Atoi(os.Args[2])
	debug.SetGCPercent(5)
	if len(os.Args) > 3 {
		pprof.StartCPUProfile(io.Discard)
		defer pprof.StopCPUProfile()
	}
	var wg sync.WaitGroup
	for g := 0; g < goroutines; g++ {
		wg.Add(1)
		go func(g int) {
			defer wg.Done()
			for i := 0; i < each; i++ {
				if p := alloc(i, g); p.a != i || p.b != g || p.c != 0 || p.d != 0 {
					panic("not what I stored")
				}
			}
		}(g)
	}
	wg.Wait()
	fmt.Println(count.Load())
}
"""


ENDS = """package main

import (
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"
)

type T struct{ a, b, c, d int }

var sink *T
var mark = uint64(1)

//go:noinline
func alloc(i int) { sink = &T{a: i}; mark = uint64(i) }

func main() {
	for i := 0; i < 5000; i++ {
		alloc(i)
	}
	mark = 0x1122334455667788
	for i := 0; i < 4; i++ {
		go func() { for { time.Sleep(time.Millisecond) } }()
	}
	switch os.Args[1] {
	case "return":
	case "exit":
		os.Exit(3)
	case "panic":
		panic("the end")
	case "deadlock":
		signal.Reset()
		var c chan int
		stop()
		<-c
	case "abort":
		syscall.Kill(syscall.Getpid(), syscall.SIGKILL)
		select {}
	case "signal":
		signal.Reset(syscall.SIGTERM)
		syscall.Kill(syscall.Getpid(), syscall.SIGTERM)
		select {}
	case "spin":
		signal.Ignore(syscall.SIGTERM, syscall.SIGINT)
		fmt.Println("spinning")
		for { alloc(1); mark = 0x1122334455667788 }
	case "block":
		select {}
	case "thread":
		go func() { runtime.LockOSThread() }()
		time.Sleep(50 * time.Millisecond)
	case "stop":
		awake := make(chan os.Signal, 1)
		signal.Notify(awake, syscall.SIGCONT)
		syscall.Kill(syscall.Getpid(), syscall.SIGSTOP)
		<-awake
		fmt.Println("awake")
	}
}

func stop() {}
"""
