"""The tracer against real Go programs that count for themselves.

Every program prints what it did; the tracer must say the same, and the program must not notice.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from iced_x86 import FlowControl

from goprobe.binary.elf.elf import ElfFile
from goprobe.errors import UnreadableError, UsageError
from goprobe.process.memory.memory import Memory, u64
from goprobe.process.tracer.run import (
    CallHit,
    CallSite,
    ProbeHit,
    ProbeSite,
    RunOutcome,
    run_counted,
)
from tests.support.calls import calls, functions, instructions
from tests.support.go import build, has_gcc, matrix

TIMEOUT = 120.0
ALLOCATORS = r"^runtime\.(mallocgc|newobject)"
releases = pytest.mark.parametrize("go", matrix())


def _symbols(binary: Path) -> list[tuple[str, int]]:
    return [(s.name, s.address) for s in ElfFile(binary).symbols]


def sites_of(binary: Path, caller: str, callee: str) -> list[CallSite]:
    found = calls(binary, caller, callee)
    assert found, f"no call from {caller} to {callee}"
    return [CallSite(call.pc, call.callee, number) for number, call in enumerate(found)]


class Traced:
    """A run and what the program printed."""

    def __init__(self, outcome: RunOutcome, out: bytes, err: bytes) -> None:
        self.outcome, self.out, self.err = outcome, out.decode(), err.decode()

    def said(self) -> Any:
        """The JSON value that the program printed last."""
        assert self.out, self.err
        return json.loads(self.out.splitlines()[-1])


def trace(binary: Path, *args: str, sites: Sequence[CallSite] = (), **options: Any) -> Traced:
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


@releases
@pytest.mark.parametrize("args", [("1", "100000"), ("4", "500000", "profile"), ("1000", "300")])
def test_counts_are_the_programs_own(go: str, args: tuple[str, ...]) -> None:
    binary = build(MANY, go=go)
    sites = sites_of(binary, r"^main\.alloc$", ALLOCATORS)
    run = trace(
        binary, *args, sites=sites, env={**os.environ, "GODEBUG": "clobberfree=1,gccheckmark=1"}
    )
    done(run)
    assert run.outcome.counts == {0: run.said()}
    assert len(run.outcome.hits) == 32
    check_hits(run.outcome.hits)
    for hit in run.outcome.hits:
        assert hit.returned and hit.results[0] % 32 == 0
        assert 0 < hit.stack_hi - hit.sp < 1 << 20


FRAMES = """package main

import (
	"fmt"
	"runtime"
	"sync"
)

//go:noinline
func deep(n int) int {
	var pad [200]byte
	pad[n%200] = byte(n)
	if n == 0 {
		return 0
	}
	return deep(n-1) + 1 + int(pad[(n+1)%200])
}

//go:noinline
func grow(n int) int { return deep(n) }

//go:noinline
func fib(n int) int {
	if n < 2 {
		return n
	}
	return fib(n-1) + fib(n-2)
}

//go:noinline
func fails(n int) int {
	if n%3 == 0 {
		panic("three")
	}
	if n%3 == 1 {
		runtime.Goexit()
	}
	return n
}

//go:noinline
func tries(n int) (result int) {
	defer func() { recover() }()
	return fails(n)
}

var total int
var lock sync.Mutex

func run(f func()) {
	var wg sync.WaitGroup
	wg.Add(1)
	go func() { defer wg.Done(); f() }()
	wg.Wait()
}

func main() {
	for i := 0; i < 40; i++ {
		run(func() { if grow(2000) != 2000 { panic("grow") } })
	}
	fmt.Println(fib(20))
	for i := 0; i < 3000; i++ {
		i := i
		run(func() { r := tries(i); lock.Lock(); total += r; lock.Unlock() })
	}
	// One goroutine, the same frame, panicking each time.
	for i := 0; i < 30000; i++ {
		total += tries(3 * i + i%2*2)
	}
	fmt.Println(total)
}
"""


@releases
def test_stacks_that_move_recursion_and_calls_that_never_return(go: str) -> None:
    binary = build(FRAMES, go=go)
    grow = sites_of(binary, r"^main\.grow$", r"^main\.deep$")
    fib = sites_of(binary, r"^main\.fib$", r"^main\.fib$")
    fails = sites_of(binary, r"^main\.tries$", r"^main\.fails$")
    sites = [
        CallSite(site.pc, site.callee, number) for number, site in enumerate([*grow, *fib, *fails])
    ]
    assert len(sites) == 4
    run = trace(binary, sites=sites)
    done(run)
    assert run.out.split()[0] == "6765"
    assert run.out == subprocess.run([binary], capture_output=True, text=True).stdout
    assert run.outcome.counts[0] == 40 and run.outcome.counts[3] == 33_000
    assert run.outcome.counts[1] + run.outcome.counts[2] == 21890  # 2 * fib(21) - 2
    check_hits(run.outcome.hits)
    by_id: dict[int, list[CallHit]] = {}
    for hit in run.outcome.hits:
        by_id.setdefault(hit.site.site_id, []).append(hit)
    assert {number: len(hits) for number, hits in by_id.items()} == dict.fromkeys(range(4), 32)
    assert all(hit.returned and hit.results[0] == 2000 for hit in by_id[0])
    assert any(hit.stack_hi != hit.stack_hi_after for hit in by_id[0]), "no stack moved"
    for hit in (*by_id[1], *by_id[2]):
        fibonacci = [
            0,
            1,
            1,
            2,
            3,
            5,
            8,
            13,
            21,
            34,
            55,
            89,
            144,
            233,
            377,
            610,
            987,
            1597,
            2584,
            4181,
        ]
        assert hit.results[0] == fibonacci[hit.arguments[0]]
    for hit in by_id[3]:
        assert hit.arguments[0] % 3 == 2 and hit.results[0] == hit.arguments[0]


STORM = """package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
)

type T struct{ a, b, c, d int }

var sink *T
var received atomic.Int64

//go:noinline
func alloc(i int) { sink = &T{a: i} }

func main() {
	n, _ := strconv.Atoi(os.Args[1])
	var wg sync.WaitGroup
	wg.Add(1)
	tid := make(chan int)
	var over atomic.Bool
	go func() {
		defer wg.Done()
		runtime.LockOSThread()
		tid <- syscall.Gettid()
		for i := 0; i < n; i++ {
			alloc(i)
		}
		over.Store(true)
	}()
	victim, pid := <-tid, syscall.Getpid()
	for !over.Load() {
		syscall.Tgkill(pid, victim, syscall.SIGURG)
		received.Add(1)
	}
	wg.Wait()
	fmt.Println(n)
}
"""


@releases
@pytest.mark.parametrize(("n", "inspect"), [(400_000, 32), (8_000, 65_536)])
def test_signals_that_arrive_in_our_code(go: str, n: int, inspect: int) -> None:
    """A storm of signals: some hit the stub, which no handler may see, and no hit is lost."""
    binary = build(STORM, go=go)
    sites = sites_of(binary, r"^main\.alloc$", ALLOCATORS)
    run = trace(binary, str(n), sites=sites, inspect=inspect)
    done(run)
    assert run.outcome.counts == {0: n}
    assert len(run.outcome.hits) == min(n, inspect)
    check_hits(run.outcome.hits)
    assert all(hit.returned for hit in run.outcome.hits)
    assert run.outcome.moved > 0


FAULTS = """package main

import "fmt"

type node struct{ value int }

//go:noinline
func find(i int) *node {
	if i%2 == 0 {
		return nil
	}
	return &node{i}
}

//go:noinline
func load(i int) (result int) {
	defer func() {
		if r := recover(); r != nil {
			result = -1
			text = fmt.Sprint(r)
		}
	}()
	return find(i).value
}

var text string

func main() {
	good, bad := 0, 0
	for i := 0; i < 100; i++ {
		if load(i) < 0 {
			bad++
		} else {
			good++
		}
	}
	fmt.Println(good, bad, text)
	find(0).value = 1
}
"""


@releases
def test_an_instruction_that_faults_where_it_was_moved_to(go: str) -> None:
    """The load after the call runs in our slot and faults there: Go must see its own address."""
    binary = build(FAULTS, go=go)
    sites = sites_of(binary, r"^main\.(load|main)$", r"^main\.find$")
    run = trace(binary, sites=sites)
    done(run, code=2)
    assert run.out == "50 50 runtime error: invalid memory address or nil pointer dereference\n"
    assert "panic: runtime error: invalid memory address" in run.err
    assert "goroutine 1 [running]:\nmain.main()" in run.err
    assert "unexpected signal" not in run.err
    plain = subprocess.run([binary], capture_output=True, text=True)
    assert (
        run.err.split("main.main()")[1].split()[0]
        == plain.stderr.split("main.main()")[1].split()[0]
    )
    assert sorted(run.outcome.counts.values()) == [1, 100]


CHILDREN = """package main

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
)

type T struct{ a, b, c, d int }

var sink *T

//go:noinline
func alloc(i int) { sink = &T{a: i} }

func main() {
	for i := 0; i < 100; i++ {
		alloc(i)
	}
	if len(os.Args) > 1 && os.Args[1] == "child" {
		fmt.Print("child ")
		return
	}
	if len(os.Args) > 1 && os.Args[1] == "orphan" {
		exec.Command("/bin/sh", "-c", "sleep 0.3; echo late >>" + os.Args[2]).Start()
		return
	}
	said := ""
	for i := 0; i < 20; i++ {
		alloc(i)
		out, err := exec.Command("/proc/self/exe", "child").Output()
		if err != nil {
			panic(err)
		}
		said += string(out)
	}
	fmt.Println(strings.Count(said, "child"))
}
"""


@releases
def test_children_run_unharmed_and_uncounted(go: str) -> None:
    binary = build(CHILDREN, go=go)
    sites = sites_of(binary, r"^main\.alloc$", ALLOCATORS)
    run = trace(binary, sites=sites, inspect=1000)
    done(run)
    assert run.said() == 20
    assert run.outcome.counts == {0: 120}


def test_children_outlive_the_program(tmp_path: Path) -> None:
    binary = build(CHILDREN)
    late = tmp_path / "late"
    run = trace(binary, "orphan", str(late), sites=sites_of(binary, r"^main\.alloc$", ALLOCATORS))
    done(run)
    deadline = time.monotonic() + 10
    while not late.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert late.read_text() == "late\n"


FORKS = """package main

/*
#include <stdio.h>
#include <stdlib.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>
extern char **environ;
extern int called(int);
__attribute__((noinline)) static int twice(int n) { return called(n) * 2; }
__attribute__((noipa)) static int helper(int n) { return n + 1; }
__attribute__((noipa)) static int forked(void) {
	int status;
	pid_t child = fork();
	int five = helper(4);
	if (child == 0) _exit(five);
	waitpid(child, &status, 0);
	return WEXITSTATUS(status);
}
static int vforked(void) {
	int status;
	pid_t child = vfork();
	if (child == 0) { execl("/bin/sh", "sh", "-c", "exit 6", (char*)0); _exit(9); }
	waitpid(child, &status, 0);
	return WEXITSTATUS(status);
}
static int spawned(void) {
	int status;
	pid_t child;
	char *argv[] = {"sh", "-c", "exit 7", 0};
	if (posix_spawn(&child, "/bin/sh", 0, 0, argv, environ)) return -1;
	waitpid(child, &status, 0);
	return WEXITSTATUS(status);
}
*/
import "C"
import "fmt"

type T struct{ a, b, c, d int }

var sink *T

//go:noinline
func alloc(i int) int { sink = &T{a: i}; return sink.a + 1 }

//export called
func called(n C.int) C.int { return C.int(alloc(int(n))) }

func main() {
	sum := 0
	for i := 0; i < 50; i++ {
		sum += int(C.twice(C.int(i)))
		sum += int(C.forked() + C.vforked() + C.spawned())
	}
	fmt.Println(sum)
}
"""


@releases
@pytest.mark.skipif(not has_gcc(), reason="cgo needs gcc")
@pytest.mark.parametrize("mode", ["exe", "pie"])
def test_cgo_with_fork_vfork_and_posix_spawn(go: str, mode: str) -> None:
    binary = build(FORKS, go=go, flags=(f"-buildmode={mode}",), env={"CGO_ENABLED": "1"})
    (site,) = sites_of(binary, r"^main\.alloc$", ALLOCATORS)
    # Also in the C code that a forked child goes on with: it must not trap there, nor count.
    (helper,) = calls(binary, r"^forked", r"^helper")
    run = trace(
        binary,
        sites=[site, CallSite(helper.pc, helper.callee, 1, inspect=False)],
        probes=[ProbeSite(helper.callee, 0)],
        randomize=True,
    )
    done(run)
    assert run.said() == 50 * 18 + 2 * sum(range(1, 51))
    assert run.outcome.counts == {0: 50, 1: 50}
    assert sum(hit.returned for hit in run.outcome.hits) == 32
    assert len(run.outcome.probes) == 32
    assert (run.outcome.bias != 0) == (mode == "pie")


@releases
@pytest.mark.parametrize("randomize", [False, True])
def test_position_independent_programs(go: str, randomize: bool) -> None:
    binary = build(MANY, go=go, flags=("-buildmode=pie",))
    sites = sites_of(binary, r"^main\.alloc$", ALLOCATORS)
    run = trace(binary, "2", "20000", sites=sites, randomize=randomize)
    done(run)
    assert run.outcome.counts == {0: 40_000}
    assert run.outcome.bias > 0
    check_hits(run.outcome.hits)


EXECS = """package main

import (
	"os"
	"syscall"
)

type T struct{ a, b, c, d int }

var sink *T

//go:noinline
func alloc(i int) { sink = &T{a: i} }

func main() {
	done := make(chan bool)
	for i := 0; i < 1000; i++ {
		alloc(i)
	}
	go func() {
		syscall.Exec("/bin/sh", []string{"sh", "-c", "echo replaced; exit 3"}, os.Environ())
	}()
	<-done
}
"""


@releases
def test_exec_keeps_the_counts_and_is_partial(go: str) -> None:
    binary = build(EXECS, go=go)
    ends: list[Memory] = []
    sites = sites_of(binary, r"^main\.alloc$", ALLOCATORS)
    for _ in range(5):
        run = trace(binary, sites=sites, on_end=ends.append)
        outcome = run.outcome
        assert outcome.counts == {0: 1000}
        assert (outcome.exit_code, run.out, ends) == (3, "replaced\n", [])
        assert outcome.partial and "exec" in outcome.why and "sh" in outcome.why


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


STEPS = """package main

import "fmt"

type T struct{ a, b, c, d int }

var sink *T

//go:noinline
func alloc(i int) int { sink = &T{a: i}; return i }

//go:noinline
func work(n int) int {
	sum := 0
	for i := 0; i < n; i++ {
		if alloc(i)%2 == 0 {
			sum += i
		}
	}
	return sum
}

//go:noinline
func through(f func(int) int, n int) int { return f(n) + 1 }

func main() {
	fmt.Println(work(10) + through(work, 10))
}
"""


@releases
def test_probes_at_every_instruction_of_a_function(go: str) -> None:
    """Calls, jumps, returns, instruction-relative loads: all run as if nothing were there."""
    binary = build(STEPS, go=go)
    plain = subprocess.run([binary], capture_output=True, text=True).stdout
    names = ("main.work", "main.alloc", "main.through", "main.main")
    steps = [one for name in names for one in instructions(binary, name)]
    steps = [one for one in steps if one.len and one.mnemonic]
    probes = [ProbeSite(one.ip, number) for number, one in enumerate(steps)]
    hits: list[ProbeHit] = []
    run = trace(
        binary,
        sites=sites_of(binary, r"^main\.work$", r"^main\.alloc$"),
        probes=probes,
        inspect=1000,
        on_probe=lambda hit, _: hits.append(hit),
    )
    done(run)
    assert run.out == plain
    assert run.outcome.counts == {0: 20}
    assert len(run.outcome.hits) == 20
    assert [hit.results[0] for hit in run.outcome.hits] == [*range(10), *range(10)]
    assert all(hit.registers["rip"] == hit.site.pc for hit in hits)
    # Control flow as seen: every instruction comes from the one before, or is jumped to.
    follows = {one.ip: one for one in steps}
    for before, after in pairwise(hits):
        one = follows[before.site.pc]
        linear = one.flow_control == FlowControl.NEXT
        assert not linear or after.site.pc == one.next_ip, (hex(one.ip), hex(after.site.pc))
    (call,) = sites_of(binary, r"^main\.work$", r"^main\.alloc$")
    at_call = [hit for hit in hits if hit.site.pc == call.pc]
    assert [hit.registers["rax"] for hit in at_call] == [*range(10), *range(10)]
    assert [hit.index for hit in at_call] == list(range(20))


@releases
def test_only_the_first_hits_of_a_probe_stop(go: str) -> None:
    binary = build(MANY, go=go)
    (alloc,) = functions(binary, r"^main\.alloc$")
    run = trace(binary, "4", "20000", probes=[ProbeSite(alloc.address, 7)], inspect=10)
    done(run)
    assert len(run.outcome.probes) == 10
    assert {hit.site.probe_id for hit in run.outcome.probes} == {7}
    assert all(hit.registers["rbx"] < 4 for hit in run.outcome.probes)


@releases
def test_memory_at_a_hit_is_what_the_call_left(go: str) -> None:
    binary = build(MANY, go=go)
    seen: list[tuple[int, ...]] = []

    def look(hit: CallHit, memory: Memory) -> None:
        assert hit.returned
        with pytest.raises(UnreadableError):
            memory.read(8, 8)
        seen.append(tuple(memory.read(hit.results[0], 32)))

    for hold_all in (False, True):
        seen.clear()
        sites = sites_of(binary, r"^main\.alloc$", ALLOCATORS)
        run = trace(binary, "4", "2000", sites=sites, on_hit=look, hold_all=hold_all)
        done(run)
        assert run.outcome.hits == ()
        # Zeroed by the allocator, not yet filled in by the program.
        assert seen == [(0,) * 32] * 32


@releases
def test_checks_come_every_so_many_hits_with_all_threads_held(go: str) -> None:
    binary = build(MANY, go=go)
    (count,) = [address for name, address in _symbols(binary) if name == "main.count"]
    seen: list[int] = []

    def check(memory: Memory) -> None:
        before = u64(memory, count)
        time.sleep(0.002)
        assert u64(memory, count) == before, "somebody ran on"
        seen.append(before)

    sites = sites_of(binary, r"^main\.alloc$", ALLOCATORS)
    run = trace(binary, "1", "1000", sites=sites, check_every=100, on_check=check)
    done(run)
    assert seen == list(range(100, 1001, 100))
    seen.clear()
    run = trace(binary, "4", "50000", sites=sites, check_every=10_000, on_check=check)
    done(run)
    assert run.outcome.counts == {0: 200_000}
    assert len(seen) >= 19


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


def test_the_callers_own_children_are_left_alone() -> None:
    other = subprocess.Popen(["sh", "-c", "exit 4"])
    binary = build(ENDS)
    done(trace(binary, "return", sites=sites_of(binary, r"^main\.alloc$", ALLOCATORS)))
    assert other.wait() == 4


def test_the_program_does_not_outlive_a_killed_tracer() -> None:
    binary = build(ENDS)
    code = (
        "import sys\n"
        "from goprobe.process.tracer.run import CallSite, run_counted\n"
        "pc, callee = map(int, sys.argv[2:4])\n"
        "run_counted(sys.argv[1], ['spin'], sites=[CallSite(pc, callee, 0)])\n"
    )
    (site,) = sites_of(binary, r"^main\.alloc$", ALLOCATORS)
    command = [sys.executable, "-c", code, str(binary), str(site.pc), str(site.callee)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as tracer:
        assert tracer.stdout and tracer.stdout.readline() == "spinning\n"
        tracer.kill()
        # The pipe's end: whoever held it, the program included, is gone.
        assert tracer.stdout.read() == ""


def test_ctrl_c_ends_the_run_with_what_was_seen() -> None:
    binary = build(ENDS)
    code = (
        "import sys\n"
        "from goprobe.process.tracer.run import CallSite, run_counted\n"
        "pc, callee = map(int, sys.argv[2:4])\n"
        "run = run_counted(sys.argv[1], ['spin'], sites=[CallSite(pc, callee, 0)])\n"
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
        trace(binary, "return", sites=[CallSite(site.pc + 1, site.callee, 0)])
    with pytest.raises(UsageError, match="has no call to"):
        trace(binary, "return", sites=[CallSite(site.pc, site.callee + 16, 0)])
    with pytest.raises(UsageError, match="outside the program"):
        trace(binary, "return", sites=[CallSite(0x7000_0000_0000, site.callee, 0)])
    with pytest.raises(ValueError, match="twice"):
        trace(binary, "return", sites=[site, site])
    with pytest.raises(ValueError, match="is a count"):
        trace(binary, "return", sites=[site], inspect=-1)


@releases
def test_calls_one_after_another_and_without_inspection(go: str) -> None:
    """Every direct call in the whole program at once, the runtime's own among them."""
    binary = build(STEPS, go=go)
    found = calls(binary, r"^(main|fmt|os|strconv|sync|unicode/utf8|internal/fmtsort)\.", "")
    sites = [
        CallSite(call.pc, call.callee, number, inspect=not call.callee_name.startswith("runtime."))
        for number, call in enumerate(found)
    ]
    assert len(sites) > 500
    plain = subprocess.run([binary], capture_output=True, text=True).stdout
    for inspect in (0, 5):
        run = trace(binary, sites=sites, inspect=inspect)
        done(run)
        assert run.out == plain
        assert sum(run.outcome.counts.values()) > 100
        assert bool(run.outcome.hits) == (inspect > 0)


JOINS = """package main

import "fmt"

var buffer []byte

//go:noinline
func add(b []byte) []byte { return append(b, 'x') }

func main() {
	buffer = make([]byte, 0, 8)
	for i := 0; i < 50000; i++ {
		buffer = add(buffer[:0])
	}
	for i := 0; i < 40; i++ {
		buffer = add(nil)
	}
	fmt.Println(len(buffer))
}
"""


@releases
def test_return_addresses_that_are_branch_targets(go: str) -> None:
    """Where append has room, it jumps to where growslice would return: not one stop for each."""
    binary = build(JOINS, go=go)
    (site,) = sites_of(binary, r"^main\.add$", r"^runtime\.growslice")
    jumps = [one for one in instructions(binary, "main.add") if one.is_jcc_short_or_near]
    assert site.pc + 5 in {one.near_branch_target for one in jumps}, "the compiler has changed"
    run = trace(binary, sites=[site])
    done(run)
    assert run.outcome.counts == {0: 40}
    assert len(run.outcome.hits) == 32 and all(hit.returned for hit in run.outcome.hits)
    assert run.outcome.stops < 200


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
