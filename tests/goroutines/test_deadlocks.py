"""Circles of waiting over locks that globals lead to: `goroutines --waits` against a program that
says which of its goroutines can never go on, and who has which lock."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec import UNSET

from goprobe.analysis.waits import lockcode
from goprobe.analysis.waits.waits import in_graph
from goprobe.model.attached import GoroutinesReport, Owner
from goprobe.report.html.waitsdrawing import drawing
from goprobe.target.live import open_target
from tests.support.cli import goprobe as command
from tests.support.go import Running, build, matrix, running

PROGRAM = Path(__file__).parents[2] / "testdata" / "goroutines" / "deadlocks.go"
_BUILDS = {
    "optimised": (),
    "unoptimised": ("-gcflags=-N -l",),
    "stripped": ("-ldflags=-s -w",),
}
_EACH = [
    (go, how)
    for go in matrix()
    for how in _BUILDS
    if how == "optimised" or go in (matrix()[0], matrix()[-1])
]


@pytest.fixture(scope="module", params=_EACH)
def program(request: pytest.FixtureRequest) -> Iterator[Running]:
    go, how = request.param
    with running(build(PROGRAM, go=go, flags=_BUILDS[how])) as found:
        yield found


@pytest.fixture(scope="module")
def report(program: Running) -> GoroutinesReport:
    return in_graph(open_target(program.pid), stacks=True)


def said(program: Running, what: str) -> dict[str, set[int]]:
    words = [line.split() for line in program.lines if line.startswith(f"{what} ")]
    found = defaultdict(set)
    for _, name, number in words:
        found[name].add(int(number))
    return found


def owners(report: GoroutinesReport) -> dict[int, tuple[Owner, ...]]:
    """Of each goroutine that waits, who has what it waits on."""
    return {s.id: tuple(o for w in s.waits_on for o in w.owners) for s in report.goroutines}


def waiter(report: GoroutinesReport, function: str) -> int:
    """Who waits in a function."""
    return next(
        s.id
        for s in report.goroutines
        if s.frames is not UNSET and any(f.function == function for f in s.frames)
    )


def test_who_waits_for_each_other(program: Running, report: GoroutinesReport) -> None:
    assert report.deadlocks is not UNSET
    told = [set(d.goroutines) for d in report.deadlocks if not d.possible]
    expected = said(program, "dead")
    assert {name for name, circle in expected.items() if circle not in told} == set()
    assert [circle for circle in told if circle not in expected.values()] == []
    assert [d for d in report.deadlocks if d.possible] == []


@pytest.mark.parametrize(
    ("lock", "function"),
    [
        ("asleep", "main.waitsForSleeper"),
        ("h", "main.waitsForCondition"),
        ("helped", "main.waitsForHelped"),
        ("outer", "main.waitsForOuter"),
    ],
)
def test_who_has_it(program: Running, report: GoroutinesReport, lock: str, function: str) -> None:
    told = owners(report)[waiter(report, function)]
    assert {o.goroutine for o in told if o.certain} == said(program, "has")[lock]
    assert not {o.goroutine for o in told} & said(program, "not")[lock]
    assert all("locked it at deadlocks.go:" in o.evidence for o in told)


def test_what_is_said_of_it(program: Running, report: GoroutinesReport) -> None:
    ran = command("goroutines", str(program.pid), "--waits")
    assert ran.code == 1
    words = " ".join(ran.text.split())
    number = waiter(report, "main.twice")
    assert f"deadlock: goroutine {number} waits for itself" in words
    both = command("goroutines", str(program.pid), "--waits", "--leaked")  # asked for more
    assert both.code == 1
    assert f"deadlock: goroutine {number} waits for itself" in " ".join(both.text.split())
    assert "deadlock" not in command("goroutines", str(program.pid), "--leaked").text
    assert "main.ba locked it at deadlocks.go:77" in words
    group = owners(report)[waiter(report, "main.waits")]
    assert [(o.operation, o.certain) for o in group] == [("done", True)]


@pytest.mark.parametrize(("go", "how"), _EACH)
def test_a_group_may_have_a_done_of_its_own(go: str, how: str) -> None:
    with running(build(PROGRAM, go=go, flags=_BUILDS[how]), "trackers") as program:
        report = in_graph(open_target(program.pid), stacks=True)
    does = {name: numbers.pop() for name, numbers in said(program, "done").items()}
    told = owners(report)
    expected = {"main.waitsForTracker": ("deferring", True), "main.waitsForAhead": ("ahead", False)}
    for function, (who, certain) in expected.items():
        (owner,) = told[waiter(report, function)]
        assert (owner.goroutine, owner.operation) == (does[who], "done")
        assert owner.certain is certain


def test_what_was_not_looked_at_is_not_certain(
    program: Running, report: GoroutinesReport, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lockcode, "_MOST_CALLED", 0)
    number = waiter(report, "main.waitsForHelped")
    assert any(o.certain for o in owners(report)[number])
    told = owners(in_graph(open_target(program.pid), stacks=True))[number]
    assert told and not any(o.certain for o in told)
    assert all("was not looked at: there are too many" in o.evidence for o in told)


def test_the_page_draws_it(report: GoroutinesReport) -> None:
    drawn = drawing(report)
    assert drawn is not None
    texts = {box.text for box in drawn.boxes if box.alarm}
    number = waiter(report, "main.twice")
    assert f"goroutine {number} in main.twice" in texts
    assert any(line.alarm and line.sure for line in drawn.lines)


RESCUED = """package main

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"sync"
	"time"
)

var a, b sync.Mutex

//go:noinline
func one() { a.Lock(); time.Sleep(50 * time.Millisecond); b.Lock(); b.Unlock(); a.Unlock() }

//go:noinline
func two() { b.Lock(); time.Sleep(50 * time.Millisecond); a.Lock(); a.Unlock(); b.Unlock() }

//go:noinline
func rescuer() { time.Sleep(time.Hour); a.Unlock() }

//go:noinline
func unlocks(which *sync.Mutex) { which.Unlock() }

//go:noinline
func below(which *sync.Mutex) { unlocks(which) }

//go:noinline
func uses(which *sync.Mutex) { which.Lock(); defer which.Unlock(); kept = nil }

type pair struct{ first, second sync.Mutex }

func (p *pair) first2() { p.first.Lock(); time.Sleep(50 * time.Millisecond); p.second.Lock() }
func (p *pair) second2() { p.second.Lock(); time.Sleep(50 * time.Millisecond); p.first.Lock() }

var (
	kept any
	both = new(pair)
)

//go:noinline
func nobody() {
	time.Sleep(time.Hour)
	uses(&both.first)
	uses(&both.second)
}

//go:noinline
func third(how string) {
	unlock := both.first.Unlock
	switch how {
	case "timer":
		time.AfterFunc(time.Hour, func() { both.first.Unlock() })
	case "value":
		kept = unlock
	case "once":
		kept = func() { unlock() }
	case "handed":
		go func(f func()) { time.Sleep(time.Hour); f() }(unlock)
	case "interface":
		kept = []sync.Locker{&both.first}
	case "helper":
		time.Sleep(time.Hour)
		below(&both.first)
	case "made":
		time.Sleep(time.Hour)
		call(both.first.Unlock)
	case "started":
		time.Sleep(time.Hour)
		go func() { both.first.Unlock() }()
	case "asked":
		time.Sleep(time.Hour)
		unlocksAny(&both.first)
	case "balanced":
		time.Sleep(time.Hour)
		call(func() { both.first.Lock(); kept = nil; both.first.Unlock() })
	case "finalizer":
		kept = new([64]int)
		runtime.SetFinalizer(kept, func(*[64]int) { a.Unlock() })
	}
}

//go:noinline
func call(f func()) { f() }

//go:noinline
func unlocksAny(which any) { which.(sync.Locker).Unlock() }

var (
	rw    sync.RWMutex
	group sync.WaitGroup
)

//go:noinline
func reads() { rw.RLock(); time.Sleep(100 * time.Millisecond); a.Lock() }

//go:noinline
func writes() { a.Lock(); time.Sleep(50 * time.Millisecond); rw.Lock() }

//go:noinline
func done() { defer group.Done(); time.Sleep(100 * time.Millisecond); a.Lock() }

//go:noinline
func waits() { a.Lock(); time.Sleep(50 * time.Millisecond); group.Wait() }

//go:noinline
func reader(how string) {
	switch how {
	case "read":
		rw.RLock()
		time.Sleep(time.Hour)
		rw.RUnlock()
	case "read twice":
		rw.RLock()
		time.Sleep(time.Hour)
		rw.RUnlock()
		kept = nil
		rw.RUnlock()
	case "read deferred":
		rw.RLock()
		for range os.Args {
			defer rw.RUnlock()
		}
		time.Sleep(time.Hour)
	}
}

//go:noinline
func worker(how string) {
	switch how {
	case "done counted":
		time.Sleep(time.Hour)
		group.Add(1)
		go func() { defer group.Done(); kept = nil }()
	case "done":
		time.Sleep(time.Hour)
		group.Done()
	case "done by less":
		time.Sleep(time.Hour)
		group.Add(-1)
	case "done value":
		kept = group.Done
	case "done by two":
		defer group.Done()
		time.Sleep(time.Hour)
	}
}

func main() {
	if len(os.Args) > 1 {
		if strings.HasPrefix(os.Args[1], "read") {
			go reads()
			go writes()
			go reader(os.Args[1])
		} else if strings.HasPrefix(os.Args[1], "done") {
			group.Add(1)
			go done()
			go waits()
			go worker(os.Args[1])
		} else if os.Args[1] == "finalizer" {
			go one()
			go two()
			go third(os.Args[1])
		} else {
			go both.first2()
			go both.second2()
			if os.Args[1] == "nobody" {
				go nobody()
			} else {
				go third(os.Args[1])
			}
		}
	} else {
		go one()
		go two()
		go rescuer()
	}
	time.Sleep(300 * time.Millisecond)
	fmt.Println("ready")
	io.Copy(io.Discard, os.Stdin)
}
"""


@pytest.mark.parametrize("go", matrix())
def test_what_a_third_may_unlock_is_no_certain_deadlock(go: str) -> None:
    with running(build(RESCUED, go=go)) as program:
        report = in_graph(open_target(program.pid))
    assert report.deadlocks is not UNSET
    assert [d.possible for d in report.deadlocks] == [True]


@pytest.mark.parametrize("go", matrix())
@pytest.mark.parametrize(
    ("who", "possible"),
    [
        ("nobody", False),
        ("timer", True),
        ("value", True),
        ("once", True),
        ("handed", True),
        ("interface", True),
        ("helper", True),
    ],
)
def test_what_a_value_may_unlock_is_no_certain_deadlock(go: str, who: str, possible: bool) -> None:
    with running(build(RESCUED, go=go), who) as program:
        report = in_graph(open_target(program.pid))
    assert report.deadlocks is not UNSET
    assert [d.possible for d in report.deadlocks] == [possible]
    said = [step for d in report.deadlocks for step in d.steps if "by another, too" in step]
    assert bool(said) is possible


@pytest.mark.parametrize("go", dict.fromkeys((matrix()[0], matrix()[-1])))
@pytest.mark.parametrize(
    ("who", "by"),
    [
        ("balanced", ""),
        ("made", "in main.third"),
        ("started", "in main.third"),
        ("asked", "in main.third"),
        ("finalizer", "main.third.func"),
        ("read", ""),
        ("read twice", "in main.reader"),
        ("read deferred", "by deferred calls"),
        ("done counted", ""),
        ("done", "in main.worker"),
        ("done by less", "in main.worker"),
        ("done value", "sync.(*WaitGroup).Done"),
        ("done by two", "2 goroutines will, and its counter is 1"),
    ],
)
def test_what_code_ahead_may_unlock_is_no_certain_deadlock(go: str, who: str, by: str) -> None:
    with running(build(RESCUED, go=go), who) as program:
        report = in_graph(open_target(program.pid))
    assert report.deadlocks is not UNSET
    assert [d.possible for d in report.deadlocks] == [bool(by)]
    assert any(by in step for d in report.deadlocks for step in d.steps)


KINDS = """package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"
)

type read struct{ sync.RWMutex }

type plain struct {
	n  int
	mu sync.Mutex
}

type holds struct{ sync.Locker }

type release struct{ of *read }

func (r *release) Lock() {}

//go:noinline
func (r *release) Unlock() { r.of.RUnlock() }

var (
	kept []any
	of   = new(read)
	own  = new(plain)
)

//go:noinline
func reader(of *read) {
	of.RLock()
	time.Sleep(50 * time.Millisecond)
	of.RLock()
	of.RUnlock()
	of.RUnlock()
}

//go:noinline
func writer(of *read) { time.Sleep(20 * time.Millisecond); of.Lock(); of.Unlock() }

//go:noinline
func writes(of *read) {
	of.Lock()
	of.RLock()
	of.RUnlock()
	of.Unlock()
}

//go:noinline
func twice(own *plain) {
	own.mu.Lock()
	own.n++
	own.mu.Lock()
	own.n++
	own.mu.Unlock()
}

//go:noinline
func later(l sync.Locker) { time.Sleep(time.Hour); l.Unlock() }

//go:noinline
func third(how string, another *plain, other *read) {
	switch how {
	case "a mutex":
		time.Sleep(time.Hour)
		another.mu.Unlock()
	case "to write":
		time.Sleep(time.Hour)
		other.Unlock()
	case "to read":
		time.Sleep(time.Hour)
		other.RUnlock()
	case "value":
		kept = append(kept, of.RUnlock, of.Unlock, own.mu.Unlock)
	case "as a locker":
		kept = append(kept, []sync.Locker{of.RLocker(), of, &own.mu})
	case "embedded":
		kept = append(kept, []sync.Locker{&holds{of.RLocker()}, &holds{of}, &holds{&own.mu}})
	case "by its own":
		later(&release{of})
	}
}

func main() {
	what, how, _ := strings.Cut(os.Args[1], ", ")
	switch what {
	case "read":
		kept = append(kept, of) // which may be asked for Unlock, and that frees no reader
		go reader(of)
		go writer(of)
	case "written":
		go writes(of)
	case "locked":
		go twice(own)
	}
	if len(os.Args) > 2 {
		for _, each := range kept {
			each.(sync.Locker).Unlock()
		}
	}
	go third(how, new(plain), new(read))
	time.Sleep(100 * time.Millisecond)
	fmt.Println("ready")
	io.Copy(io.Discard, os.Stdin)
}
"""
_UNLOCKED = {
    "read, a mutex": False,
    "read, to write": False,
    "read, as a locker": True,
    "read, by its own": True,
    "written, to read": False,
    "written, value": True,
    "written, embedded": True,
    "locked, to write": False,
    "locked, value": True,
    "locked, embedded": True,
}


_OF_ANOTHER = ("read, to read", "written, to write")
"""Where the code shows whose lock it is that is unlocked, nobody unlocks this one."""


@pytest.mark.parametrize("go", matrix())
def test_a_lock_is_unlocked_by_what_fits_it(go: str) -> None:
    binary, told = build(KINDS, go=go, flags=("-gcflags=all=-N -l",)), {}
    for how in _UNLOCKED:
        with running(binary, how) as program:
            report = in_graph(open_target(program.pid))
        assert report.deadlocks is not UNSET and len(report.deadlocks) == 1
        told[how] = report.deadlocks[0].possible
    assert told == _UNLOCKED


@pytest.mark.parametrize("go", matrix())
def test_that_another_lock_is_unlocked_is_told_by_the_registers(go: str) -> None:
    binary = build(KINDS, go=go)
    for how in _OF_ANOTHER:
        with running(binary, how) as program:
            report = in_graph(open_target(program.pid))
        assert report.deadlocks is not UNSET and [d.possible for d in report.deadlocks] == [False]
