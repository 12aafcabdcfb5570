"""How runs under the tracer end, and what stays of them."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from goprobe.errors import UsageError
from goprobe.process.memory.memory import Memory, u64
from goprobe.process.tracer.run import (
    CallHit,
    CountedCall,
)
from tests.process.traced import ALLOCATORS, ENDS, MANY, _symbols, done, releases, sites_of, trace
from tests.support.go import build


@releases
@pytest.mark.parametrize(
    ("how", "code", "killer"),
    [
        ("return", 0, 0),
        ("exit", 3, 0),
        ("panic", 2, 0),
        ("signal", 0, signal.SIGTERM),
        ("thread", 0, 0),
    ],
)
def test_every_end_leaves_counts_and_a_last_look(go: str, how: str, code: int, killer: int) -> None:
    binary = build(ENDS, go=go)
    (mark,) = [s for s in _symbols(binary) if s[0] == "main.mark"]
    seen: list[int] = []
    run = trace(
        binary,
        how,
        sites=sites_of(binary, r"^main\.alloc$", ALLOCATORS),
        on_end=lambda memory: seen.append(u64(memory, mark[1])),
    )
    outcome = run.outcome
    assert (outcome.exit_code, outcome.signal) == (code, killer), run.err
    assert outcome.counts == {0: 5000}
    assert seen == [0x1122334455667788]
    assert not outcome.partial


def test_a_deadlock_ends_as_go_ends_it() -> None:
    source = """package main

func main() {
	var c chan int
	<-c
}
"""
    run = trace(build(source))
    done(run, code=2)
    assert "all goroutines are asleep - deadlock!" in run.err


def test_sigkill_from_outside_keeps_the_counts() -> None:
    binary = build(ENDS)
    run = trace(binary, "abort", sites=sites_of(binary, r"^main\.alloc$", ALLOCATORS))
    assert (run.outcome.signal, run.outcome.counts) == (signal.SIGKILL, {0: 5000})


@pytest.mark.parametrize("how", ["spin", "block", "stop"])
def test_a_program_that_does_not_end_is_ended(how: str) -> None:
    binary = build(ENDS)
    (mark,) = [s for s in _symbols(binary) if s[0] == "main.mark"]
    seen: list[int] = []
    run = trace(
        binary,
        how,
        timeout=0.7,
        sites=sites_of(binary, r"^main\.alloc$", ALLOCATORS),
        on_end=lambda memory: seen.append(u64(memory, mark[1])),
    )
    outcome = run.outcome
    assert outcome.partial and outcome.why == "it still ran after 0.7 s and was ended"
    assert outcome.signal == signal.SIGKILL
    assert outcome.counts[0] == 5000 if how != "spin" else outcome.counts[0] > 5000
    assert len(seen) == 1
    assert how == "spin" or seen == [0x1122334455667788]
    assert not Path(f"/proc/{outcome.pid}").exists()


def test_what_a_callback_raises_ends_the_run_and_is_raised() -> None:
    binary = build(ENDS)
    pids: list[int] = []

    def look(hit: CallHit, memory: Memory) -> None:
        pids.append(memory.pid)  # type: ignore[attr-defined]
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        trace(binary, "block", sites=sites_of(binary, r"^main\.alloc$", ALLOCATORS), on_hit=look)
    assert len(pids) == 1
    assert not Path(f"/proc/{pids[0]}").exists()

    def at_end(*told: object) -> None:
        raise KeyError("at the end")

    with pytest.raises(KeyError, match="at the end"):  # of a thread that no kill ends any more
        trace(binary, "exit", sites=sites_of(binary, r"^main\.alloc$", ALLOCATORS), on_end=at_end)


def test_ctrl_c_ends_the_run_with_what_was_seen() -> None:
    binary = build(ENDS)
    code = (
        "import sys\n"
        "from goprobe.process.tracer.run import CountedCall, run_counted\n"
        "pc, callee = map(int, sys.argv[2:4])\n"
        "run = run_counted(sys.argv[1], ['spin'], sites=[CountedCall(pc, callee, 0)])\n"
        "print(run.counts[0] >= 5000, run.partial, run.why)\n"
    )
    (site,) = sites_of(binary, r"^main\.alloc$", ALLOCATORS)
    command = [sys.executable, "-c", code, str(binary), str(site.pc), str(site.callee)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as tracer:
        assert tracer.stdout and tracer.stdout.readline() == "spinning\n"
        tracer.send_signal(signal.SIGINT)
        assert tracer.stdout.read() == "True True it was interrupted\n"
    assert tracer.returncode == 0


def test_a_stopped_program_goes_on_when_told_to() -> None:
    binary = build(ENDS)
    pids: list[int] = []
    over = threading.Event()

    def look(hit: CallHit, memory: Memory) -> None:
        if not pids:
            pids.append(memory.pid)  # type: ignore[attr-defined]
            teller.start()

    def tell() -> None:
        while not over.wait(0.2):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pids[0], signal.SIGCONT)

    teller = threading.Thread(target=tell)
    run = trace(binary, "stop", sites=sites_of(binary, r"^main\.alloc$", ALLOCATORS), on_hit=look)
    over.set()
    teller.join()
    done(run)
    assert run.out == "awake\n"


def test_wrong_requests_are_refused() -> None:
    binary = build(ENDS)
    (site,) = sites_of(binary, r"^main\.alloc$", ALLOCATORS)
    with pytest.raises(UsageError, match=r"no such file|cannot run"):
        trace(binary.with_name("nothing"), sites=[site])
    with pytest.raises(UsageError, match="has no call to"):
        trace(binary, "return", sites=[CountedCall(site.pc + 1, site.callee, 0)])
    with pytest.raises(UsageError, match="has no call to"):
        trace(binary, "return", sites=[CountedCall(site.pc, site.callee + 16, 0)])
    with pytest.raises(UsageError, match="outside the program"):
        trace(binary, "return", sites=[CountedCall(0x7000_0000_0000, site.callee, 0)])
    with pytest.raises(ValueError, match="twice"):
        trace(binary, "return", sites=[site, site])
    with pytest.raises(ValueError, match="is a count"):
        trace(binary, "return", sites=[site], inspect=-1)


SIGNALS = """package main

import (
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

type T struct{ a, b, c, d int }

var sink *T

//go:noinline
func alloc(i int) { sink = &T{a: i} }

func main() {
	kinds := []os.Signal{syscall.SIGUSR1, syscall.SIGTRAP, syscall.SIGWINCH, syscall.SIGCONT,
		syscall.SIGCHLD, syscall.SIGHUP, syscall.Signal(40)}
	came := 0
	for _, kind := range kinds {
		c := make(chan os.Signal, 1)
		signal.Notify(c, kind)
		for i := 0; i < 20; i++ {
			alloc(i)
			syscall.Kill(syscall.Getpid(), kind.(syscall.Signal))
			if <-c == kind {
				came++
			}
		}
	}
	signal.Ignore(syscall.SIGUSR2)
	syscall.Kill(syscall.Getpid(), syscall.SIGUSR2)
	fmt.Println(came)
}
"""


@releases
def test_the_programs_own_signals_reach_it(go: str) -> None:
    binary = build(SIGNALS, go=go)
    run = trace(binary, sites=sites_of(binary, r"^main\.alloc$", ALLOCATORS))
    done(run)
    assert run.said() == 140
    assert run.outcome.counts == {0: 140}


def test_several_runs_at_once() -> None:
    binary = build(MANY)
    sites = sites_of(binary, r"^main\.alloc$", ALLOCATORS)
    with ThreadPoolExecutor(4) as pool:
        runs = list(pool.map(lambda n: trace(binary, "2", str(n), sites=sites), range(2000, 2012)))
    for n, run in enumerate(runs, 2000):
        done(run)
        assert run.outcome.counts == {0: 2 * n}
        assert len(run.outcome.hits) == 32
