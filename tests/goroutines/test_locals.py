"""`goroutines --locals` on a program whose goroutines' variables are known, and the choice among
goroutines by options."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from msgspec import UNSET

from goprobe.analysis.goroutines.chosen import Chosen, is_named
from goprobe.analysis.goroutines.goroutines import goroutines
from goprobe.analysis.locals.ask import GoroutineQuestions, goroutines_of
from goprobe.analysis.locals.locals import with_locals
from goprobe.analysis.waits.waits import in_graph
from goprobe.model.attached import GoroutinesReport, GoroutineState
from goprobe.model.value import State, Variable
from goprobe.target.core import open_core
from goprobe.target.live import open_target
from tests.support.cli import goprobe as command
from tests.support.gdb import write_core
from tests.support.go import Running, build, matrix, running

PROGRAM = Path(__file__).parents[2] / "testdata" / "goroutines" / "locals.go"
NO_OPTIMISER = ("-gcflags=all=-N -l",)


@pytest.fixture(scope="module", params=[(go, opt) for go in matrix() for opt in (True, False)])
def made(request: pytest.FixtureRequest) -> tuple[Path, bool]:
    go, optimised = request.param
    return build(PROGRAM, go=go, flags=() if optimised else NO_OPTIMISER), optimised


@pytest.fixture(scope="module")
def binary(made: tuple[Path, bool]) -> Path:
    return made[0]


@pytest.fixture(scope="module")
def optimised(made: tuple[Path, bool]) -> bool:
    return made[1]


@pytest.fixture(scope="module")
def program(binary: Path) -> Iterator[Running]:
    with running(binary) as made:
        yield made


@pytest.fixture(scope="module")
def report(program: Running) -> GoroutinesReport:
    return with_locals(open_target(program.pid), stacks=True, each=True)


def variables(state: GoroutineState, function: str) -> dict[str, Variable]:
    assert state.frames is not UNSET
    frame = next(f for f in state.frames if f.function == function)
    assert frame.variables is not UNSET, state.why_no_locals
    return {v.name: v for v in frame.variables}


def workers(states: Sequence[GoroutineState]) -> list[GoroutineState]:
    return [s for s in states if s.frames is not UNSET and _stands_in(s, "main.worker")]


def _stands_in(state: GoroutineState, function: str) -> bool:
    return state.frames is not UNSET and any(f.function == function for f in state.frames)


def value(variable: Variable) -> str:
    assert variable.value is not UNSET, variable
    return variable.value.text


def check_workers(states: Sequence[GoroutineState], *, optimised: bool) -> None:
    """What is told is right; without the optimiser all is told."""
    seen = []
    for state in workers(states):
        told = variables(state, "main.worker")
        n = int(value(told["n"]))
        seen.append(n)
        expected = {"f": f"{n / 2:g}", "s": f"worker {n}", "arr": f"[{n} {n + 1} {n + 2}]"}
        for name, text in (expected | {"local": f"{3 * n}"}).items():
            if name not in told or told[name].value is UNSET:
                assert optimised
                assert name not in told or told[name].why
            else:
                assert value(told[name]) == text
        job = told["j"].data
        assert job is not UNSET
        assert f'name:"job{n}"' in job.text
        assert told["later"].value is UNSET
        assert optimised or told["later"].state is State.NOT_YET
    assert sorted(seen) == [0, 1, 2, 3, 4]


def test_parked_ones_have_their_variables(report: GoroutinesReport, optimised: bool) -> None:
    check_workers(report.goroutines, optimised=optimised)


def test_one_that_runs_or_sleeps(report: GoroutinesReport) -> None:
    (spin,) = [s for s in report.goroutines if _stands_in(s, "main.spin")]
    told = variables(spin, "main.spin")
    assert told["k"].value is UNSET or value(told["k"]) == "77"
    assert set(told) >= {"k", "x"}


def test_only_own_frames_have_variables(report: GoroutinesReport) -> None:
    for state in report.goroutines:
        for frame in state.frames if state.frames is not UNSET else ():
            assert (frame.variables is not UNSET) == frame.own
            assert frame.own == frame.function.startswith("main.")


def test_groups_tell_what_differs(program: Running) -> None:
    ran = command("goroutines", str(program.pid), "--locals", "--in", "main.worker")
    assert ran.code == 0
    assert "different: 0, 1, 2, 3 and 1 other" in ran.text
    assert max(map(len, ran.text.splitlines())) <= 80
    grouped = with_locals(open_target(program.pid), chosen=Chosen(within="main.worker"))
    (group,) = grouped.groups
    frame = next(f for f in group.frames if f.function == "main.worker")
    assert frame.differing is not UNSET
    differing = {d.name: d for d in frame.differing}
    assert {text for text, _ in differing["n"].values} == {"0", "1", "2", "3", "4"}
    assert "out" not in differing
    assert (grouped.chosen, len(grouped.goroutines)) == ("--in main.worker", 5)


def test_beside_waits(program: Running, optimised: bool) -> None:
    asked = GoroutineQuestions(locals=True, waits=True, each=True, stacks=True)
    report = goroutines_of(open_target(program.pid), asked)
    check_workers(report.goroutines, optimised=optimised)
    assert all(w.kind == "channel" for s in workers(report.goroutines) for w in s.waits_on)


def test_a_core_tells_them_too(tmp_path: Path) -> None:
    binary, file = build(PROGRAM), tmp_path / "core"
    with running(binary) as program:
        write_core(program.pid, file)
    core = open_core(str(file), str(binary))
    check_workers(with_locals(core).goroutines, optimised=True)
    old = (
        with_locals(core, chosen=Chosen(older_us=1)),
        goroutines(core, chosen=Chosen(older_us=1)),
    )
    for aged in (*old, in_graph(core, chosen=Chosen(older_us=1))):
        assert not aged.goroutines
        assert "whose age is not known (a core has no clock)" in " ".join(aged.notes)


def test_without_debug_information_it_says_so() -> None:
    with running(build(PROGRAM, flags=("-ldflags=-s -w",))) as program:
        report = with_locals(open_target(program.pid), each=True)
    for state in workers(report.goroutines):
        assert "no debug information" in state.why_no_locals


def chosen(program: Running, **choice: object) -> set[str]:
    """Where the chosen ones of the program's own stand."""
    report = goroutines(open_target(program.pid), stacks=True, chosen=Chosen(**choice))  # type: ignore[arg-type]
    return {
        next((f.function for f in s.frames if f.own), "runtime")
        for s in report.goroutines
        if s.frames is not UNSET
    }


def test_choices(program: Running) -> None:
    assert chosen(program, within="main.worker") == {"main.worker"}
    assert chosen(program, within="main", user=True) == {"main.worker", "main.spin", "main.main"}
    assert chosen(program, state="chan send") == {"main.worker"}
    assert chosen(program, state="CHAN") == {"main.worker"}
    assert chosen(program, labels=(("queue", "mail"),)) == {"main.spin"}
    assert chosen(program, labels=(("queue", "letters"),)) == set()
    assert chosen(program, ids=frozenset({1})) == {"main.main"}
    assert chosen(program, older_us=3_600_000_000) == set()
    assert "main.worker" in chosen(program, older_us=1)
    assert "runtime" not in chosen(program, user=True)


def test_choices_by_options(program: Running) -> None:
    pid = str(program.pid)
    assert command("goroutines", pid, "--id", "1,99999", "--json").json["goroutines"][0]["id"] == 1
    none = command("goroutines", pid, "--label", "queue=letters")
    assert none.code == 0
    assert none.text.startswith("0 of ")
    for wrong in (["--id", "x"], ["--label", "mail"], ["--older", "soon"], ["--sort", "beauty"]):
        assert command("goroutines", pid, *wrong).code == 2
    oldest = command("goroutines", pid, "--sort", "age", "--json").json["groups"]
    ages = [group.get("most_waiting_us", 0) for group in oldest]
    assert ages == sorted(ages, reverse=True)


@pytest.mark.parametrize(
    ("option", "word", "nearest"),
    [
        ("--in", "main.worke", "main.worker"),
        ("--in", "main.Wor*", "main.worker"),
        ("--in", "worker", "main.worker"),
        ("--state", "chan sned", "chan send"),
        ("--state", "runing", "running"),
    ],
)
def test_a_misspelt_choice_is_told(program: Running, option: str, word: str, nearest: str) -> None:
    ran = command("goroutines", str(program.pid), option, word)
    assert (ran.code, ran.text) == (2, "")
    assert f"{option} {word!r} is no" in ran.err
    assert nearest in ran.err.split("nearest: ")[1]


def test_what_no_goroutine_does_now_is_no_mistake(program: Running) -> None:
    process = open_target(program.pid)
    for none in (Chosen(within="fmt.Println"), Chosen(state="preempted")):
        assert not goroutines_of(process, GoroutineQuestions(chosen=none)).goroutines
    for none in (Chosen(within="fmt.(*pp)"), Chosen(state="chan rec", within="main.spin")):
        assert not goroutines_of(process, GoroutineQuestions(chosen=none)).goroutines


def test_names() -> None:
    assert is_named("example.com/a/work.(*Pool[int]).Submit.func1", "work.(*Pool).Submit")
    assert is_named("example.com/a/work.(*Pool).Submit", "work")
    assert is_named("example.com/a/work.(*Pool).Submit", "example.com/a/work")
    assert is_named("example.com/a/work.(*Pool).Submit", "example.com/a")
    assert is_named("main.worker", "main.w*")
    assert not is_named("main.worker", "main.work")
    assert not is_named("example.com/a/work.Run", "a")
    for name in ("gopkg.in/yaml.v3", "gopkg.in/yaml%2ev3", "yaml.v3", "yaml.v3.run", "ya*.v3.r*"):
        assert is_named("gopkg.in/yaml%2ev3.run", name), name
    assert is_named("a.b/c%2ed/e.Run", "a.b/c.d")
    assert not is_named("gopkg.in/yaml%2ev3.run", "yaml")  # that is another package


def test_very_many_deep_stacks_cost_what_their_functions_do() -> None:
    """What is read of the program's file is read once for each place, however many stand there."""
    crowd = PROGRAM.parents[1] / "targets" / "crowd.go"
    spent = []
    for count in ("2", "120"):
        with running(build(crowd), count, "1") as program:
            target = open_target(program.pid)
            budget = target.program.elf.budget
            before = budget.left
            with_locals(target)
            spent.append(before - budget.left)
    assert spent[1] - spent[0] < 20_000  # (m: 0; 100,000 where each one has it read again)


WAITING = """package main

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"sync"
	"time"
	"unsafe"
)

var kept []int
var stranger *sync.Mutex

//go:noinline
func locks(own *sync.Mutex) { own.Lock() }

// The two lie in one slot of the tiny allocator.
//
//go:noinline
func neighbours() *sync.Mutex {
	for {
		stranger = new(sync.Mutex)
		own := new(sync.Mutex)
		at := uintptr(unsafe.Pointer(own))
		if at%16 == 8 && at == uintptr(unsafe.Pointer(stranger))+8 {
			return own
		}
	}
}

//go:noinline
func hides(n int, c chan int) int {
	k := n + 1
	{
		k := k * 2
		k += <-c
		kept = append(kept, k)
	}
	kept = append(kept, k)
	return k
}

//go:noinline
func chooses(c chan string, full chan int) int {
	select {
	case s := <-c:
		return len(s)
	case full <- 1:
		return 0
	}
}

//go:noinline
func sleeps(d time.Duration) { time.Sleep(d) }

func main() {
	full := make(chan int, 2)
	full <- 1
	full <- 2
	go hides(5, make(chan int, 3))
	go chooses(make(chan string), full)
	own := neighbours()
	own.Lock()
	go locks(own)
	go sleeps(2 * time.Hour)
	go sleeps(3000 * time.Hour)
	go func(t *time.Timer) { <-t.C }(time.NewTimer(time.Hour))
	go func(t *time.Timer, c chan int) {
		select {
		case <-t.C:
		case <-c:
		}
		fmt.Println(c)
	}(time.NewTimer(4*time.Hour), make(chan int))
	time.Sleep(100 * time.Millisecond)
	runtime.GC()
	runtime.GC()
	fmt.Println("ready")
	io.Copy(io.Discard, os.Stdin)
}
"""


@pytest.fixture(scope="module", params=matrix())
def collected(request: pytest.FixtureRequest) -> Iterator[GoroutinesReport]:
    """Of goroutines that waited through collections."""
    with running(build(WAITING, go=request.param, flags=NO_OPTIMISER)) as program:
        asked = GoroutineQuestions(locals=True, waits=True)
        yield goroutines_of(open_target(program.pid), asked)


def named(report: GoroutinesReport, function: str) -> list[tuple[str, str]]:
    """The variables of the one goroutine in a function, with their values."""
    frames = (f for group in report.groups for f in group.frames if f.function == function)
    frame = next(frames)
    assert frame.variables is not UNSET
    assert not frame.differing, "of one goroutine nothing differs"
    return [(v.name, v.value.text if v.value is not UNSET else "") for v in frame.variables]


def test_one_variable_that_hides_another_is_no_difference(collected: GoroutinesReport) -> None:
    assert sorted(text for name, text in named(collected, "main.hides") if name == "k") == [
        "12",
        "6",
    ]


def test_the_channels_that_a_goroutine_waits_on_are_kept(collected: GoroutinesReport) -> None:
    ((_, c),) = [v for v in named(collected, "main.hides") if v[0] == "c"]
    assert (c.startswith("chan int 0x"), c.endswith("len 0 cap 3")) == (True, True)
    chosen = dict(named(collected, "main.chooses"))
    assert chosen["c"].startswith("chan string 0x")
    assert chosen["full"].endswith("len 2 cap 2")


def test_what_each_of_a_group_waits_on_alone_is_told_of_each(collected: GoroutinesReport) -> None:
    (sleeping,) = [g for g in collected.groups if g.wait_reason == "sleep" and g.count == 2]
    fires = [w.fires_in_us for w in sleeping.waits_on]
    assert len(fires) == 2
    assert sorted(round(each / 3.6e9) for each in fires if each is not UNSET) == [2, 3000]


def test_a_lock_is_not_named_after_its_neighbour(collected: GoroutinesReport) -> None:
    (w,) = [w for g in collected.groups for w in g.waits_on if w.kind == "mutex"]
    assert w.address is not UNSET
    assert w.address % 16 == 8
    assert not any("stranger" in name for name in (w.name, *w.held_by))


def test_a_timer_leads_to_no_other(collected: GoroutinesReport) -> None:
    every = [w for g in collected.groups for w in g.waits_on if w.type == "chan time.Time"]
    assert len(every) == 2
    assert all(len({h.goroutine for h in w.holders}) <= 1 for w in every)
    assert not any("timers" in name for w in every for name in w.held_by)
