"""Calls in a script's hands: of a launched program, of a running process, out of a recording."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path

import pytest

import goprobe
from goprobe.model.calls import CallFrame
from tests.support.go import build, matrix, running

_PROGRAM = Path("testdata/calls/calls.go")


@pytest.mark.parametrize("go", matrix())
def test_calls_between_stops(go: str, tmp_path: Path) -> None:
    binary = str(build(_PROGRAM, go=go, flags=("-gcflags=all=-N -l",)))
    recording = tmp_path / "recording"

    def script(program: goprobe.Program) -> list[str]:
        told = []
        stop = next(program.run(["main.once"]))
        seen = {}
        for call in program.calls("main.(*store).get", "main.mixed", "main.fails", stack=True):
            seen[call.function, call.args[len(call.args) - 1].text] = call
            told.append(repr(call).rpartition(", ")[0])
        assert program.stop is None and program.exit is not None and program.exit.code == 0
        missed = seen["main.(*store).get", '"zz"']
        assert missed.args["key"] == "zz" and missed.args["s"].mode == "dev"
        assert missed.args["s"].data.type == "map[string]int" and missed.duration > 0
        assert missed.results[0] == 0 and missed.results[1] != None  # noqa: E711
        assert missed.results[1].s == "no zz"
        found = seen["main.(*store).get", '"a"']
        assert found.results[0] == 1 and found.results[1] == None  # noqa: E711
        assert [(key, value.text) for key, value in found.results.items()] == [(0, "1"), (1, "nil")]
        mixed = seen["main.mixed", '"held"']
        assert mixed.args["xs"].py == [7, 8, 9] and mixed.args["xs"][-1] == 9
        assert mixed.args["q"].Y == 4 and mixed.args["any"] == "held" and mixed.args["ok"]
        assert mixed.results[0].py == {"X": 4, "Y": 4} and len(mixed.results) == 2
        fails = seen["main.fails", "0"]
        assert (fails.end, fails.why) == ("panic", 'panic: "boom 7"')
        assert isinstance(fails.stack[0], CallFrame) and fails.stack[0].function == "main.fails"
        with pytest.raises(goprobe.UsageError, match="ended by panic"):
            fails.results[0]
        with pytest.raises(KeyError, match="nope"):
            mixed.args["nope"]
        assert stop.where == "main.once" if stop is program.stop else True
        return told

    with goprobe.launch(binary, stdout=2, record=recording) as program:
        live = script(program)
    with goprobe.replay(recording) as program:
        assert script(program) == live


def test_a_loop_that_is_left_leaves_the_program_at_a_stop() -> None:
    with goprobe.launch(str(build(_PROGRAM)), ["serve"], stdout=2) as program:
        for _ in range(2):
            assert next(program.run(["main.once2"])).function == "main.once2"
            for number, call in enumerate(program.calls("main.step")):
                assert call.results[0] == int(call.args["worker"]) * 1000000 + int(call.args["i"])
                if number == 20:
                    break
            assert program.stop is not None and program.stop.reason == "calls"
            assert program.stop.goroutines()
        stop = program.stop
        with pytest.raises(goprobe.UsageError, match=r"main\.nope"):
            next(program.calls("main.nope"))
        assert stop is not None and program.stop is stop and stop.pc
        assert sum(1 for _ in program.calls("main.step", args=False, seconds=0.3)) > 10


def test_calls_of_a_running_process() -> None:
    with running(build(_PROGRAM), "serve") as program, goprobe.attach(program.pid) as process:
        seen = set[str]()
        for call in process.calls("main.step", "main.fails", seconds=60):
            seen.add(call.function)
            if len(seen) == 2:
                break
        assert seen == {"main.step", "main.fails"}
        assert len(list(process.calls("main.step", seconds=0.2))) < 100_000
        for call in process.calls("main.step"):
            assert call.end == "return" and call.goroutine > 1
            break
        assert "TracerPid:\t0" in Path(f"/proc/{program.pid}/status").read_text()
        program.read_until("round")


@pytest.mark.parametrize(("function", "each"), [("main.work", 100), ("main.meet", 1)])
def test_no_call_is_missed_while_the_program_changes_hands(function: str, each: int) -> None:
    """Several goroutines have come to the breakpoint in the same instant, at times."""
    binary = str(build(_PROGRAM.with_name("instant.go"), flags=("-gcflags=all=-N -l",)))
    for _ in range(6):
        with goprobe.launch(binary, stdout=2) as program:
            assert next(program.run(["main.meet"])).function == "main.meet"
            told = Counter(call.goroutine for call in program.calls(function, results=False))
            assert program.exit is not None and program.exit.code == 0  # their sums are right
        assert sorted(told.values()) == [each] * 8


def test_where_calls_may_be_missing_a_session_says_so(tmp_path: Path) -> None:
    recording = tmp_path / "recording"

    def script(program: goprobe.Program) -> int:
        next(program.run(["main.once"]))
        return sum(1 for _ in program.calls("main.fails"))

    with goprobe.launch(str(build(_PROGRAM)), stdout=2, record=recording) as program:
        live = script(program)
    lines = recording.read_bytes().splitlines(keepends=True)
    [at] = (i for i, line in enumerate(lines) if b'"begin_calls"' in line)
    assert b'"answer":""' in lines[at]
    told = lines[at].replace(b'"answer":""', b'"answer":"calls may be missing"')
    lines[at] = told[: told.rindex(b',"sum":')] + b"}\n"  # as an earlier goprobe wrote it
    recording.write_bytes(b"".join(lines))
    with (
        goprobe.replay(recording) as program,
        pytest.warns(goprobe.StopWarning, match="calls may be missing"),
    ):
        assert script(program) == live


_KINDS = """package main

//go:noinline
func kinds(c complex64, p *int, ch chan int, a any) (float64, complex128) { return 1.5, 1.5 + 1i }

func main() {
	n := 3
	kinds(2+3i, &n, make(chan int, 2), 5i)
}
"""


def test_kinds_that_python_has_and_has_not(tmp_path: Path) -> None:
    (tmp_path / "kinds.go").write_text(_KINDS)
    with goprobe.launch(str(build(tmp_path / "kinds.go"))) as program:
        [call] = program.calls("main.kinds")
    assert call.results[0] == 1.5 and call.results[1] == 1.5 + 1j
    assert call.args["c"].py == 2 + 3j and call.args["p"].py == 3 and call.args["a"] == 5j
    with pytest.raises(goprobe.UsageError, match="ch is a chan int: Python has its text alone"):
        call.args["ch"].py  # noqa: B018


_ON_ITS_WAY = """package main

import "time"

//go:noinline
func fails() { panic("boom") }

//go:noinline
func recovers() {
	defer func() { time.Sleep(time.Hour); recover() }()
	fails()
}

func main() { recovers() }
"""


@pytest.mark.parametrize("go", matrix())
def test_a_panic_that_is_on_its_way_has_ended_no_call(go: str) -> None:
    with goprobe.launch(str(build(_ON_ITS_WAY, go=go))) as program:
        calls = program.calls("main.recovers", "main.fails", seconds=0.5)
        assert {c.function: c.end for c in calls} == {"main.recovers": "open", "main.fails": "open"}


_REPLACES = """\
package main

import (
	"fmt"
	"os"
	"syscall"
	"time"
)

//go:noinline
func step(n int) int { return n + 1 }

func main() {
	fmt.Println("ready")
	for n := 0; ; n = step(n) {
		time.Sleep(time.Millisecond)
		if _, err := os.Stat(os.Args[1]); err == nil {
			fmt.Println(syscall.Exec("/bin/sh", []string{"sh", "-c", "echo other; sleep 60"}, nil))
		}
	}
}
"""


def test_a_program_that_replaces_itself_is_let_go_at_once(tmp_path: Path) -> None:
    (tmp_path / "replaces.go").write_text(_REPLACES)
    binary, go = build(tmp_path / "replaces.go"), tmp_path / "go"
    with running(binary, str(go)) as program, goprobe.attach(program.pid) as process:
        for number, call in enumerate(process.calls("main.step", seconds=60)):
            assert call.end in ("return", "open")
            if number == 3:
                began = time.monotonic()
                go.touch()
        program.read_until("other")
        assert time.monotonic() - began < 4  # it stood for five seconds
    with goprobe.launch(str(binary), [str(go)], stdout=2) as session:
        stop = next(session.run())
        assert stop.reason == "exec" and stop.pc
        with pytest.raises(goprobe.UsageError, match="has replaced itself by another one"):
            _ = stop.function
        with pytest.raises(goprobe.UsageError, match="has replaced itself by another one"):
            next(session.run(["main.step"]))
