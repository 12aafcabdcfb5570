"""Returns that the program notes itself are looked at before what they told of is gone."""

from __future__ import annotations

import os

import pytest

from goprobe.errors import UnreadableError
from goprobe.process.memory.memory import Memory, u64
from goprobe.process.tracer.run import CallHit, CountedCall
from tests.process.traced import done, noted_later, releases, sites_of, trace
from tests.support.calls import calls, instructions
from tests.support.go import build

FREED = """package main

import (
	"fmt"
	"runtime"
)

type T struct{ a, b, c, d int }

//go:noinline
func made(i int) *T { return &T{a: i, d: 7} }

//go:noinline
func nothing() {}

//go:noinline
func use(i int) int {
	p := made(i)
	nothing() // p is kept in the frame: the instruction behind the call is long enough
	return p.a
}

func main() {
	sum := 0
	for i := 0; i < 25; i++ {
		sum += use(i)
		if i%5 == 4 {
			runtime.GC()
			runtime.GC()
		}
	}
	fmt.Println(sum)
}
"""


@releases
def test_what_calls_returned_is_looked_at_before_it_is_freed(go: str) -> None:
    """With clobberfree=1 the collector overwrites what it frees (runtime/mgcsweep.go)."""
    binary = build(FREED, go=go)
    sites = sites_of(binary, r"^main\.use$", r"^main\.made$")
    seen: list[tuple[int, ...]] = []

    def on_hit(hit: CallHit, memory: Memory) -> None:
        seen.append((hit.arguments[0], *(u64(memory, hit.results[0] + at) for at in (0, 24))))

    run = trace(
        binary,
        **noted_later(binary, sites),
        on_hit=on_hit,
        env={**os.environ, "GODEBUG": "clobberfree=1"},
    )
    done(run)
    assert seen == [(i, i, 7) for i in range(25)]
    # The collector ran more often than it was held up: only where there was news.
    assert 0 < run.outcome.stops <= 6


JOINED = """package main

import (
	"fmt"
	"os"
)

//go:noinline
func double(i int) int { return 2 * i }

var sum, at int
var calling bool

//go:noinline
func work() {
	if calling {
		double(at)
	}
	sum += 3
}

func main() {
	for _, step := range []int{1000, 50, 1000} {
		calling = step == 50 || len(os.Args) > 1
		for at = 0; at < step; at++ {
			work()
		}
	}
	fmt.Println(sum, at)
}
"""


@releases
@pytest.mark.parametrize("args", [(), ("calls",)])
def test_an_address_that_is_come_to_otherwise_as_well(go: str, args: tuple[str, ...]) -> None:
    """Who comes there without a call is not taken for one that returns, wherever he is noted."""
    binary = build(JOINED, go=go)
    sites = sites_of(binary, r"^main\.work$", r"^main\.double$")
    back = sites[0].pc + 5
    steps = instructions(binary, "main.work")
    assert any(back == one.near_branch_target for one in steps if one.op_count == 1)
    assert any(back == one.ip and one.len >= 5 for one in steps)
    plain = trace(binary, *args, sites=sites)
    later = trace(binary, *args, **noted_later(binary, sites))
    for run in (plain, later):
        done(run)
        assert run.outcome.counts == {0: 2050 if args else 50}
        assert [hit.results[0] for hit in run.outcome.hits] == [2 * i for i in range(32)]
    assert plain.out == later.out


RESULTS = """package main

import (
	"fmt"
	"runtime"
)

//go:noinline
func many(n int) (a, b, c, d, e, f, g, h, i int) {
	return n, n + 1, n + 2, n + 3, n + 4, n + 5, n + 6, n + 7, n + 8
}

//go:noinline
func fault(p *int, n int) (r int) {
	defer func() { r = n; recover() }()
	a, b, c, d, e, f, g, h, i := many(n)
	return *p + a + b + c + d + e + f + g + h + i
}

func main() {
	one, sum := 1, 0
	for i := 0; i < 100; i++ {
		p := &one
		if i%3 == 0 {
			p = nil
		}
		sum += fault(p, i)
		if i%10 == 0 {
			runtime.GC()
		}
	}
	fmt.Println(sum)
}
"""


@releases
def test_all_results_are_kept_and_told_as_at_a_breakpoint(go: str) -> None:
    binary = build(RESULTS, go=go)
    (found,) = calls(binary, r"^main\.fault$", r"^main\.many$")
    sites = [CountedCall(found.pc, found.callee, 0)]
    plain = trace(binary, sites=sites)
    later = trace(binary, **noted_later(binary, sites))
    for run in (plain, later):
        done(run)
        assert run.outcome.counts == {0: 100}
        assert [hit.results for hit in run.outcome.hits] == [
            tuple(range(n, n + 9)) for n in range(32)
        ]
    assert plain.out == later.out
    assert later.outcome.stops < plain.outcome.stops


@releases
def test_without_a_sweep_to_wait_for_breakpoints_tell(go: str) -> None:
    binary = build(FREED, go=go)
    sites = noted_later(binary, sites_of(binary, r"^main\.use$", r"^main\.made$"))["sites"]
    read: list[int] = []

    def on_hit(hit: CallHit, memory: Memory) -> None:
        try:
            read.append(u64(memory, hit.results[0]))
        except UnreadableError:
            read.append(-1)

    run = trace(binary, sites=sites, on_hit=on_hit)
    done(run)
    assert read == [*range(25)] and run.outcome.stops >= 25
    checked = trace(binary, **noted_later(binary, sites), check_every=5, on_check=lambda _: None)
    done(checked)
    assert checked.outcome.stops >= 25
