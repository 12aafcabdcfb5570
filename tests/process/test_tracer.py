"""What the tracer counts and looks at is what the program did, and the program never notices."""

from __future__ import annotations

import os
import subprocess
import time
from itertools import pairwise

import pytest
from iced_x86 import FlowControl, Instruction

from goprobe.errors import UnreadableError
from goprobe.process.memory.memory import Memory, u64
from goprobe.process.tracer.run import (
    CallHit,
    CountedCall,
    ProbeHit,
    ProbeSite,
)
from tests.process.traced import (
    ALLOCATORS,
    MANY,
    _symbols,
    check_hits,
    done,
    noted_later,
    releases,
    sites_of,
    trace,
)
from tests.support.calls import calls, functions, instructions
from tests.support.go import build


@releases
@pytest.mark.parametrize("later", [False, True])
@pytest.mark.parametrize("args", [("1", "100000"), ("4", "500000", "profile"), ("1000", "300")])
def test_counts_are_the_programs_own(go: str, args: tuple[str, ...], later: bool) -> None:
    binary = build(MANY, go=go)
    sites = sites_of(binary, r"^main\.alloc$", ALLOCATORS)
    asked = noted_later(binary, sites) if later else {"sites": sites}
    run = trace(
        binary, *args, **asked, env={**os.environ, "GODEBUG": "clobberfree=1,gccheckmark=1"}
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
@pytest.mark.parametrize("later", [False, True])
def test_stacks_that_move_recursion_and_calls_that_never_return(go: str, later: bool) -> None:
    binary = build(FRAMES, go=go)
    grow = sites_of(binary, r"^main\.grow$", r"^main\.deep$")
    fib = sites_of(binary, r"^main\.fib$", r"^main\.fib$")
    fails = sites_of(binary, r"^main\.tries$", r"^main\.fails$")
    sites = [
        CountedCall(site.pc, site.callee, number)
        for number, site in enumerate([*grow, *fib, *fails])
    ]
    assert len(sites) == 4
    run = trace(binary, **(noted_later(binary, sites) if later else {"sites": sites}))
    done(run)
    assert later == (run.outcome.stops < 4 * 32)
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
    # So must one that notes that it ran, and then does it elsewhere.
    steps = [one for name in ("main.load", "main.main") for one in instructions(binary, name)]
    (store,) = [
        n for n, one in enumerate(steps) if one.len >= 7 and str(one) == "mov qword ptr [rax],1"
    ]
    asked = [ProbeSite(one.ip, n, limit=1, only_whether=True) for n, one in enumerate(steps)]
    noted = trace(binary, probes=asked)
    done(noted, code=2)
    assert store in noted.outcome.ran and noted.out == run.out
    assert "unexpected signal" not in noted.err
    assert "goroutine 1 [running]:\nmain.main()" in noted.err
    assert (
        noted.err.split("main.main()")[1].split()[0]
        == plain.stderr.split("main.main()")[1].split()[0]
    )


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


def _behind_return(steps: list[Instruction]) -> bool:
    """Whether the last of these instructions stands behind a return of its function."""
    for before, one in zip(reversed(steps[:-1]), reversed(steps), strict=False):
        if before.next_ip != one.ip:
            return False
        if before.flow_control == FlowControl.RETURN:
            return True
    return False


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
    # Of those that are long enough it is noted that they ran, and nothing stops for it.
    asked = [ProbeSite(one.ip, n, limit=1, only_whether=True) for n, one in enumerate(steps)]
    quiet = trace(binary, probes=asked)
    done(quiet)
    assert quiet.out == plain
    ran = quiet.outcome.ran
    assert not quiet.outcome.probes
    # What comes behind a function's return is up to the scheduler and the collector: stacks grow,
    # write barriers are on.
    sure = {n for n, one in enumerate(steps) if not _behind_return(steps[: n + 1])}
    assert ran & sure == {hit.site.probe_id for hit in hits} & sure
    by_hand = (FlowControl.CALL, FlowControl.UNCONDITIONAL_BRANCH)
    noted = {n for n in ran if steps[n].len >= 5 and steps[n].flow_control not in by_hand}
    assert len(noted) > len(ran) // 5
    assert quiet.outcome.stops == len(ran - noted)


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


@releases
def test_calls_one_after_another_and_without_inspection(go: str) -> None:
    """Every direct call in the whole program at once, the runtime's own among them."""
    binary = build(STEPS, go=go)
    found = calls(binary, r"^(main|fmt|os|strconv|sync|unicode/utf8|internal/fmtsort)\.", "")
    sites = [
        CountedCall(
            call.pc, call.callee, number, inspect=not call.callee_name.startswith("runtime.")
        )
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
