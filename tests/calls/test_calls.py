"""`goprobe calls` against what a program says of its own calls."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from goprobe.binary.elf.elf import ElfFile
from tests.support.go import Running, build, matrix, running

_PROGRAM = Path("testdata/calls/calls.go")
_UNOPTIMISED = ("-gcflags=all=-N -l",)
_BUILDS: dict[str, tuple[str, ...]] = {
    "optimised": (),
    "unoptimised": _UNOPTIMISED,
    "pie": ("-buildmode=pie",),
}
_GOPROBE = (sys.executable, "-m", "goprobe")


def _run(*arguments: str, code: int = 0) -> tuple[str, str]:
    done = subprocess.run(
        [*_GOPROBE, "calls", *arguments], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == code, (done.returncode, done.stderr)
    assert "Traceback" not in done.stderr
    return done.stdout, done.stderr


def _calls(*arguments: str) -> tuple[list[dict[str, Any]], dict[str, Any], str]:
    """The calls in the order in which they ended, the report at the end, the program's output."""
    out, err = _run("--json", *arguments)
    *calls, report = [json.loads(line) for line in out.splitlines()]
    assert report["schema"] == "goprobe.calls/1"
    return calls, report, err


def _of(calls: Sequence[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    return [c for c in calls if c["function"].partition("[")[0] == name]


def _texts(values: Sequence[dict[str, Any]]) -> list[str]:
    return [v["text"] for v in values]


@pytest.mark.parametrize("built", _BUILDS)
@pytest.mark.parametrize("go", matrix())
def test_arguments_results_and_ends_are_the_programs(go: str, built: str) -> None:
    binary = build(_PROGRAM, go=go, flags=_BUILDS[built])
    calls, report, said = _calls(str(binary), "main.*", "--args", "--results", "--stack")
    lines = said.splitlines()
    assert lines[-1] == "end" and report["exit_code"] == 0

    found, missed = _of(calls, "main.(*store).get")
    assert found["arguments"][1]["value"] == "a" and _texts(found["results"]) == ["1", "nil"]
    assert found["arguments"][0]["text"].startswith('&{mode:"dev" data:map[')
    assert missed["results"][1]["text"] == '&errors.errorString{s:"no zz"}'
    assert lines[:2] == ["1 <nil>", "0 no zz"]

    (leaf,), (loops,), (floats,) = (_of(calls, f"main.{n}") for n in ("leaf", "loops", "floats"))
    (many,), (mixed,) = _of(calls, "main.many"), _of(calls, "main.mixed")
    assert [leaf["results"][0]["value"], loops["results"][0]["value"]] == [44, 10]
    assert floats["arguments"][0]["value"] == 1.5 and floats["results"][0]["text"] == "3"
    assert [v["value"] for v in many["arguments"]] == list(range(1, 12))
    assert _texts(many["results"]) == ["12", "10"]
    assert _texts(mixed["arguments"]) == ["{X:1 Y:2}", "[7 8 9]", "true", "&{X:3 Y:4}", '"held"']
    assert _texts(mixed["results"]) == ["{X:4 Y:4}", '"heldtrue"']
    (put,) = _of(calls, "main.(*store).put")
    assert [v["value"] for v in put["arguments"][1:]] == ["b", 2]

    pairs = _of(calls, "main.pair")
    assert [p["results"][0]["text"] for p in pairs] == [
        '["x" "y"]', "[1 2]", "[{X:1 Y:2} {X:3 Y:4}]",
    ]  # fmt: skip

    (blank,) = _of(calls, "main.blank")
    if "no_arguments" in blank:
        assert "blank" in blank["no_arguments"]
    else:
        assert blank["arguments"][-1]["value"] == 4
    assert blank["results"][0]["value"] == 5

    (leads,) = _of(calls, "main.leads")  # pointers to strings are no strings, and lead to such
    assert _texts(leads["arguments"]) == ['&"nil"', '&"nil"', '&"x y"', '&""', '&"x y"', "0x1234"]
    assert not any("value" in a for a in leads["arguments"])
    assert _texts(leads["results"]) == ['&"x y"']

    fails = _of(calls, "main.fails")
    assert [f["arguments"][0]["value"] for f in fails] == [0, 1, 2]
    assert {(f["end"], f["why"]) for f in fails} == {("panic", 'panic: "boom 7"')}
    (recovers,) = _of(calls, "main.recovers")
    assert recovers["end"] == "return" and recovers["results"][0]["value"] == "boom 7"
    assert [f["depth"] - recovers["depth"] for f in fails] == [3, 2, 1]
    stack = [frame["function"] for frame in fails[0]["stack"]]
    assert stack[:4] == ["main.fails", "main.fails", "main.recovers", "main.once"]
    assert stack[-2:] == ["runtime.main", "runtime.goexit"]

    leaves = _of(calls, "main.leaves")
    assert {c["end"] for c in leaves} == {"goexit"} and len(leaves) == 3
    assert {c["goroutine"] for c in leaves} != {recovers["goroutine"]}

    deep = _of(calls, "main.deep")  # its stack grows on the way
    assert [c["arguments"][0]["value"] for c in deep] == list(range(51))
    assert {c["end"] for c in deep} == {"return"}
    (main,) = _of(calls, "main.main")
    assert main["depth"] == 0 and main["end"] == "return"


@pytest.mark.parametrize("flags", [(), _UNOPTIMISED], ids=["optimised", "unoptimised"])
@pytest.mark.parametrize("go", matrix())
def test_each_call_ends_by_the_panic_that_left_it(go: str, flags: tuple[str, ...]) -> None:
    """Which may have been replaced by another further out; and what closures capture is told."""
    binary = build(_PROGRAM.with_name("panics.go"), go=go, flags=flags)
    calls, _, _ = _calls(str(binary), "main.*", "--args", "--results")

    def left(name: str) -> list[str]:
        return [c.get("why", c["end"]) for c in _of(calls, f"main.{name}")]

    (undo,) = left("(*tx).undo")
    assert undo == 'panic: &errors.errorString{s:"undo"}'
    assert left("(*tx).close") == left("work") == ['panic: "close"']
    assert left("deeper") == ['panic: "root"', 'panic: "root"', 'panic: "1root"']
    assert left("outer") == ['panic: "root"', 'panic: "1root"', 'panic: "21root"']
    assert left("outer.func1") == ['panic: "21root"', 'panic: "1root"', 'panic: "root"']
    assert left("alarms") == ['panic: "alarm"'] * 3 and left("calms") == ["return"] * 3

    assert left("deep") == ['panic: "bottom"'] * 3 and left("exits") == ["runtime.Goexit"]
    assert left("leaves") == ["runtime.Goexit"] * 2

    only, _, _ = _calls(str(binary), "main.broken", "main.inner")  # who recovers is not watched
    assert [(c["function"], c["end"], c["depth"]) for c in only] == [
        ("main.broken", "panic", 0),
        ("main.inner", "return", 0),
    ]

    within: dict[int, list[dict[str, Any]]] = {}  # a call takes as long as those in it, at least
    for call in sorted(calls, key=lambda c: int(c["call"])):
        around = within.setdefault(call["goroutine"], [])
        del around[call["depth"] :]
        assert all(call["duration_us"] <= c["duration_us"] for c in around), (call, around)
        around.append(call)

    told = [_texts(c["arguments"]) for c in _of(calls, "main.captures.func1")]
    for number, (values, (total, text)) in enumerate(
        zip(told, ((0, "a"), (0, "ab"), (1, "abb")), strict=True)
    ):
        before = "nil" if not number else f"&{{n:{number - 1}}}"
        assert sorted(values) == sorted([str(total), str(number), f'"{text}"', before])


@pytest.mark.parametrize("go", matrix())
def test_no_call_of_many_threads_is_missed_or_told_twice(go: str) -> None:
    binary = build(_PROGRAM, go=go)
    calls, _, said = _calls(str(binary), "main.step", "--args", "--results", "--", "crowd")
    assert said == "done\n"
    wanted = {(w, i) for w in range(8) for i in range(500)}
    told = [tuple(v["value"] for v in c["arguments"]) for c in calls]
    assert len(told) == len(wanted) and set(told) == wanted
    assert all(
        c["results"][0]["value"] == w * 1000000 + i for c, (w, i) in zip(calls, told, strict=True)
    )
    out, _ = _run("--json", "--count", str(binary), "main.step", "--", "crowd")
    (counted,) = json.loads(out)["functions"]
    assert counted["calls"] == 4000


def _is_as_built(program: Running, binary: Path) -> bool:
    """Whether the code in the process is that of the file."""
    elf = ElfFile(binary)
    text = elf.section(".text")
    assert text is not None
    with open(f"/proc/{program.pid}/mem", "rb", buffering=0) as memory:
        live = os.pread(memory.fileno(), text.size, text.address)
    return live == elf.read(text.address, text.size)


def _is_free(program: Running) -> bool:
    status = Path(f"/proc/{program.pid}/status").read_text()
    return program.process.poll() is None and "TracerPid:\t0" in status


@pytest.mark.parametrize("go", matrix())
def test_a_running_process_goes_on_unharmed(go: str) -> None:
    binary = build(_PROGRAM, go=go)
    with running(binary, "serve") as program:
        out, _ = _run(
            str(program.pid), "main.step", "main.once2", "main.f*", "--args", "--results",
            "--for", "1s", "--json",
        )  # fmt: skip
        *calls, report = [json.loads(line) for line in out.splitlines()]
        for call in _of(calls, "main.step"):
            if call["end"] == "return":
                worker, i = (v["value"] for v in call["arguments"])
                assert call["results"][0]["value"] == worker * 1000000 + i
        assert sum(f["calls"] for f in report["functions"]) >= len(calls) > 20
        assert _is_free(program) and _is_as_built(program, binary)
        program.read_until("round")
        program.read_until("round")


@pytest.mark.parametrize("go", matrix())
def test_children_that_share_its_memory_pass_its_breakpoints(go: str) -> None:
    """They run on the stack of the thread that makes them, from other calls at the same depth."""
    binary = build(_PROGRAM.with_name("children.go"), go=go)
    names = "syscall.rawVforkSyscall", "syscall.RawSyscall", "syscall.RawSyscall6"
    _, report, said = _calls(str(binary), *names)
    assert said.splitlines()[-1] == "end" and report["exit_code"] == 0
    called = {function["function"]: function["calls"] for function in report["functions"]}
    assert called["syscall.rawVforkSyscall"] in (20, 21)  # since Go 1.23 os tries pidfds before


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_however_goprobe_ends_the_process_goes_on(number: signal.Signals) -> None:
    binary = build(_PROGRAM)
    with (
        running(binary, "serve") as program,
        subprocess.Popen(
            [*_GOPROBE, "calls", str(program.pid), "main.step", "--args", "--results"],
            stdout=subprocess.PIPE,
        ) as watch,
    ):
        assert watch.stdout is not None
        os.read(watch.stdout.fileno(), 1 << 16)  # it has seen calls
        watch.send_signal(number)
        watch.stdout.close()
        code = watch.wait(30)
        assert code == {signal.SIGKILL: -9, signal.SIGTERM: 143}.get(number, code)
        deadline = time.monotonic() + 10
        while not _is_free(program) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert _is_free(program) and _is_as_built(program, binary)
        program.read_until("round")
        program.read_until("round")


def test_when_the_tracer_itself_is_killed_its_breakpoints_are_taken_out() -> None:
    """Those of functions that nobody calls just then: the others are run into."""
    binary = build(_PROGRAM)
    with (
        running(binary, "serve") as program,
        subprocess.Popen(
            [*_GOPROBE, "calls", "--count", str(program.pid), "main.leaves", "main.mixed"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as watch,
    ):
        status, tracer = Path(f"/proc/{program.pid}/status"), 0
        deadline = time.monotonic() + 30
        while (not tracer or _is_as_built(program, binary)) and time.monotonic() < deadline:
            tracer = int(status.read_text().partition("TracerPid:")[2].split()[0])
            time.sleep(0.05)
        os.kill(tracer, signal.SIGKILL)
        _, said = watch.communicate(timeout=30)
        assert watch.returncode == 3 and "was ended by somebody" in said
        assert _is_free(program) and _is_as_built(program, binary)
        program.read_until("round")


def test_ctrl_c_tells_what_was_seen() -> None:
    binary = build(_PROGRAM)
    with (
        running(binary, "serve") as program,
        subprocess.Popen(
            [*_GOPROBE, "calls", str(program.pid), "main.step"], stdout=subprocess.PIPE, text=True
        ) as watch,
    ):
        assert watch.stdout is not None
        first = watch.stdout.readline()
        watch.send_signal(signal.SIGINT)
        rest = watch.stdout.read()
        assert watch.wait(30) == 0
        assert "main.step" in first and "calls of 1 function in" in rest
        assert _is_free(program)


def test_text_nests_calls() -> None:
    binary = build(_PROGRAM)
    out, _ = _run(str(binary), "main.recovers", "main.fails", "--args", "--results")
    lines = [re.sub(r"  [0-9.]+ (µs|us|ms|s)$", "", line) for line in out.splitlines()]
    assert [line for line in lines if line.startswith('g1')][:4] == [
        "g1     main.recovers() {", "g1       main.fails(n=2) {", "g1         main.fails(n=1) {",
        'g1           main.fails(n=0) panic: "boom 7"',
    ]  # fmt: skip
    assert 'g1     } main.recovers = what="boom 7"' in lines


def test_what_has_no_calls_is_said() -> None:
    binary = build(_PROGRAM)
    _, said = _run(str(binary), "main.nothing*", code=2)
    assert "no function of the program matches main.nothing*" in said
    _, said = _run(str(binary), "main.crowd", code=4)
    assert "ended before it called any of main.crowd" in said
    _, said = _run("999999999", "main.x", code=2)
    assert "999999999" in said
    out, _ = _run(str(binary), "main.once.func*", "--json")
    report = json.loads(out.splitlines()[-1])
    assert "main.once.func2" in report["inlined"]


def test_a_stripped_program_has_calls_without_arguments() -> None:
    binary = build(_PROGRAM, flags=("-ldflags=-s -w",))
    calls, _, _ = _calls(str(binary), "main.leaf", "main.fails", "--args", "--results")
    (leaf,) = _of(calls, "main.leaf")
    assert "stripped" in leaf["no_arguments"] and leaf["end"] == "return"
    assert {c["end"] for c in _of(calls, "main.fails")} == {"panic"}
    out, _ = _run(str(binary), "main.leaf", "main.once.func2", "--json")
    report = json.loads(out.splitlines()[-1])
    assert report["inlined"] == ["main.once.func2"] and len(_of(calls, "main.leaf")) == 1


def test_a_program_that_crashes_leaves_its_calls_open() -> None:
    source = """package main

//go:noinline
func bad(p *int) int { return *p }

func main() { println(bad(nil)) }
"""
    calls, report, said = _calls(str(build(source)), "main.*", "--args")
    assert report["exit_code"] == 2 and "nil pointer" in said
    assert [(c["function"], c["end"]) for c in calls] == [
        ("main.bad", "panic"), ("main.main", "panic"),
    ]  # fmt: skip


_BLANK = "the debug information does not describe all of its parameters"
_ODD = {
    "f1": (["1", '"ab"', "2.5", "40"], ["42", '&errors.errorString{s:"ab"}']),
    "f2": (["1", '"x"'], ["7"]),
    "f3": (["10", '"abc"'], ["14", '&errors.errorString{s:"late"}']),
    "f6": (
        ['{S:"s" W:4}', "nil", "42", "nil", "true", "200", "-5", "120"],
        ['{S:"s" W:4}', "true"],
    ),
    "pair.val": (['{S:"vv" W:1}', "3"], ['"vv"']),
    "f7": ([*map(str, range(1, 11)), "2.25", "-3"], ["11", "2.25", "-3"]),
    "f8": (
        ['[{S:"a" W:1}]', "[104 101 121]", "{}", "[]", "0x5"],
        ["[104 101 121]", "{}", "1"],
    ),
    "f9": (['{S:"z" W:1}', "3", '[{S:"y" W:2}]'], ["3", 'map[3:{S:"y" W:2}]']),
    "g1": (["1", "2"], ["3"]),
    "g2": (["1", '"s"', "2"], ["3"]),
    "g3": (["1", '"s"', '"tt"', "4"], ["2"]),
    "g4": (["1", "2", "3", "4"], ["1"]),
    "g5": (['"a"', '"b"', '"c"'], ["1"]),
    "g6": (["3", "4"], ["4", "5"]),
}


@pytest.mark.parametrize("built", ["optimised", "unoptimised"])
@pytest.mark.parametrize("go", matrix())
def test_every_shape_of_signature_is_right_or_not_told(go: str, built: str) -> None:
    """Up to Go 1.23 blank parameters are not described, and optimised code describes those of
    generic functions in another order: there a reason stands in place of the arguments."""
    binary = build(Path("testdata/calls/odd.go"), go=go, flags=_BUILDS[built])
    calls, _, _ = _calls("--args", "--results", str(binary), "main.*")
    refused = set()
    for name, (arguments, results) in _ODD.items():
        call = _of(calls, f"main.{name}")[-1]
        assert _texts(call["results"]) == results, name
        if "no_arguments" in call:
            assert call["no_arguments"].startswith(_BLANK)
            refused.add(name)
        else:
            assert _texts(call["arguments"]) == arguments, name
    assert refused <= {"f1", "f2", "f9", "g1", "g2", "g3", "g4", "g5"}
    if go == "1.27":
        assert not refused
    (f4,) = _of(calls, "main.f4")
    assert f4["results"][0]["elements"][-1]["value"] == 7 and f4["arguments"][1]["value"] == 5
    (f5,) = _of(calls, "main.f5")
    assert _texts(f5["results"]) == ["(1+2i)", '["p" "q"]']
    assert _texts(f5["arguments"])[:4] == ["(1+2i)", "[9]", "[1 2 3]", "main.main.func1"]
