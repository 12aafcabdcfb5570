"""Functions of a plugin are told as the program's own: their variables, calls and breakpoints."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest
from msgspec import UNSET, UnsetType

import goprobe
from goprobe.errors import UsageError
from goprobe.model.attached import CallSite, GoroutineState
from goprobe.model.value import Data, Value
from tests.support.cli import goprobe as run
from tests.support.go import Running, build, has_gcc, matrix, running

PLUGIN = """package main

import (
	"errors"
	"fmt"
	"time"
)

type Item struct {
	ID   int
	Name string
}

type Coded struct{ Code int }

func (c *Coded) Error() string { return fmt.Sprint("code ", c.Code) }

var wake = make(chan *Item)

//go:noinline
func keep(xs ...any) {}

//go:noinline
func parked(item *Item, list any, coded, plain error) {
	got := <-wake
	keep(item, list, coded, plain, got)
}

//go:noinline
func tick(x int, s string) (*Item, error) { return &Item{x, s}, nil }

//go:noinline
func boom(x int) { panic(fmt.Errorf("boom %d", x)) }

//go:noinline
func safe(x int) (s string) {
	defer func() { s = fmt.Sprint(recover()) }()
	boom(x)
	return ""
}

func Run() {
	go parked(&Item{7, "seven"}, []int{1, 2}, &Coded{3}, errors.New("plain"))
	for i := 1; ; i++ {
		item, _ := tick(i, "tick")
		safe(item.ID)
		time.Sleep(5 * time.Millisecond)
	}
}
"""

HOST = """package main

import (
	"fmt"
	"os"
	"plugin"
	"sync"
	"time"
)

var mu sync.Mutex

//go:noinline
func twice() { mu.Lock(); mu.Lock() }

//go:noinline
func own(run func()) { run() }

func main() {
	p, err := plugin.Open(os.Args[1])
	if err != nil {
		panic(err)
	}
	run, _ := p.Lookup("Run")
	go own(run.(func()))
	go twice()
	time.Sleep(50 * time.Millisecond)
	fmt.Println("ready")
	time.Sleep(time.Hour)
}
"""


# A plugin's build compiles the whole standard library once more: only the newest Go by default.
@pytest.fixture(scope="module", params=matrix()[-1:])
def host(request: pytest.FixtureRequest) -> Iterator[Running]:
    if not has_gcc():
        pytest.skip("plugins need gcc")
    go, cgo = request.param, {"CGO_ENABLED": "1"}
    plugin = build(PLUGIN, go=go, flags=("-buildmode=plugin",), env=cgo)
    with running(build(HOST, go=go, env=cgo), str(plugin)) as program:
        yield program


def test_variables_of_its_frames(host: Running) -> None:
    report = goprobe.attach(host.pid).goroutines(locals=True, user=True)
    (parked,) = [g for g in report.goroutines if _begins(g, ".parked")]
    told = {v.name: v for f in _frames(parked) for v in f.variables or ()}
    assert _text(told["item"].data) == '{ID:7 Name:"seven"}'
    assert _text(told["list"].value) == "[1 2]"
    assert not parked.why_no_locals
    # Of the frames of one stack some are the program's own, and some the plugin's.
    (both,) = [g for g in report.goroutines if any(f.function == "main.own" for f in _frames(g))]
    assert [bool(f.variables) for f in _frames(both) if f.own] == [True, True]


def test_its_calls(host: Running) -> None:
    calls = list(goprobe.attach(host.pid).calls("*.tick", "*.boom", "*.safe", seconds=0.5))
    ended = [c for c in calls if c.end != "open"]
    ticks = [c for c in ended if c.function.endswith(".tick")]
    assert ticks and all(c.args["s"] == "tick" and c.results[1] == None for c in ticks)  # noqa: E711
    assert all(c.results[0]["ID"] == c.args["x"] for c in ticks)
    booms = [c for c in ended if c.function.endswith(".boom")]
    assert booms and all(c.end == "panic" and f"boom {c.args['x']}" in c.why for c in booms)
    safe = [c for c in ended if c.function.endswith(".safe") and c.end == "return"]
    assert safe and all(c.results["s"] == f"boom {c.args['x']}" for c in safe)


def test_a_place_in_it(host: Running) -> None:
    line = PLUGIN.splitlines().index(
        "func tick(x int, s string) (*Item, error) { return &Item{x, s}, nil }"
    )
    process = goprobe.attach(host.pid)
    report = process.goroutines(stacks=True)
    file = next(
        f.file for g in report.goroutines for f in _frames(g) if f.function.endswith(".parked")
    )
    for stop in process.run(f"{file}:{line + 1}", timeout=30):
        assert stop.function.endswith(".tick") and stop["s"] == "tick"
        with pytest.raises(UsageError, match="and is not stepped"):
            stop.next()
        x = stop["x"].py
        back = stop.finish()
        assert back is not None and x == back.results[0].ID and back.results[1] == None  # noqa: E711
        break


def test_what_it_may_unlock(host: Running) -> None:
    (deadlock,) = goprobe.attach(host.pid).goroutines(waits=True).deadlocks or ()
    assert deadlock.possible and "the code of plugins" in deadlock.steps[-1]


def test_what_none_has(host: Running) -> None:
    with pytest.raises(UsageError, match="no function of the program matches nowhere"):
        list(goprobe.attach(host.pid).calls("nowhere", seconds=0.1))
    ran = run("goroutines", str(host.pid), "--in", "main.nowhere")
    assert ran.code == 2 and "is no function" in ran.err
    parked = next(f for g in _stacks(host) for f in _frames(g) if f.function.endswith(".parked"))
    ran = run("goroutines", str(host.pid), "--in", parked.function.replace(".parked", ".tick"))
    assert ran.code == 0
    ran = run("calls", build(HOST, env={"CGO_ENABLED": "1"}), "*.tick")
    assert ran.code == 2 and "plugins are known once the program has loaded them" in ran.err


def _stacks(host: Running) -> Sequence[GoroutineState]:
    return goprobe.attach(host.pid).goroutines(stacks=True).goroutines


def _begins(g: GoroutineState, name: str) -> bool:
    return any(f.function.endswith(name) for f in _frames(g))


def _frames(g: GoroutineState) -> tuple[CallSite, ...]:
    return () if g.frames is UNSET else g.frames


def _text(told: Data | Value | UnsetType) -> str:
    return "" if told is UNSET else told.text
