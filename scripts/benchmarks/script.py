"""Sessions from Python: stops a second, bare and with two arguments read, beside GDB's own Python
and GDB's bare machine interface at the same breakpoint of the same program; and calls a second."""

from __future__ import annotations

import os
import resource
import select
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import goprobe
from goprobe.toolchain.find import GdbTool, find_gdb
from scripts.benchmarks.timing import Figure, side_by_side
from tests.support.go import build

PROGRAM = """package main

var counter int

//go:noinline
func add(a, b int) int { counter += a; return a + b }

func main() {
	total := 0
	for i := 0; i < 100000; i++ {
		total += add(i, 2)
	}
	println(total)
}
"""
STOPS = 3000
_MI_STOPS = 500
_MANY = 20_000
_CALLS = 20_000
_SETTINGS = (
    "-gdb-set mi-async on", "-gdb-set displaced-stepping off", "-gdb-set print thread-events off",
    '-interpreter-exec console "handle all nostop noprint pass"',
    '-interpreter-exec console "handle SIGTRAP stop print nopass"',
    "-gdb-set startup-with-shell off", "-break-insert main.add",
)  # fmt: skip
_IN_GDB = """
import time

class At(gdb.Breakpoint):
    count = 0
    def stop(self):
        At.count += 1
        if READ:
            frame = gdb.selected_frame()
            int(frame.read_var("a")) + int(frame.read_var("b"))
        if At.count == 1:
            At.began = time.perf_counter()
        if At.count <= STOPS:
            return False
        print("took", time.perf_counter() - At.began)
        return True
At("main.add")
gdb.execute("run")
"""


def measure(runs: int) -> Iterator[Figure]:
    binary = str(build(PROGRAM, flags=("-gcflags=all=-N -l",)))
    gdb = find_gdb()
    choices: dict[str, Callable[[], object]] = {
        "bare": lambda: _ours(binary, lambda stop: None),
        "read": lambda: _ours(binary, lambda stop: int(stop["a"]) + int(stop["b"])),
        "when": lambda: _when(binary),
        "mi": lambda: _machine_interface(gdb, binary),
        "none": lambda: _ours(binary, lambda stop: None, 1),
        "calls": lambda: _calls(binary),
    }
    python = _has_python(gdb)
    if python:
        choices["gdb"] = lambda: _gdb_python(gdb, binary, read=False)
        choices["gdb read"] = lambda: _gdb_python(gdb, binary, read=True)
    seconds = side_by_side(runs, choices)
    start = seconds.pop("none")
    calls = _CALLS / max(seconds.pop("calls") - start, 1e-9)
    counts = {"mi": _MI_STOPS}
    rate = {n: counts.get(n, STOPS) / max(took - start, 1e-9) for n, took in seconds.items()}
    yield Figure("bare stops", rate["bare"], "stops/s")
    yield Figure("stops with two arguments read", rate["read"], "stops/s")
    yield Figure(f"a condition true at hit {STOPS}", seconds["when"] - start, "s", 0.3)
    yield Figure("calls with arguments and results, by our tracer", calls, "calls/s", 20_000,
                 at_least=True)  # fmt: skip
    yield Figure("GDB's machine interface alone, read as pygdbmi does", rate["mi"], "stops/s")
    if python:
        yield Figure("GDB's Python, nothing read", rate["gdb"], "stops/s")
        yield Figure("GDB's Python, two arguments read", rate["gdb read"], "stops/s")
        ratio = rate["read"] / rate["gdb read"]
        yield Figure("stops with two arguments read / GDB's Python", ratio, "times", 1.0,
                     at_least=True)  # fmt: skip
    yield Figure("bare stops / GDB's machine interface", rate["bare"] / rate["mi"], "times", 0.5,
                 at_least=True)  # fmt: skip
    yield Figure(f"memory that {_MANY:,} stops take", _growth(binary), "MiB", 8.0)


def _ours(binary: str, ask: Callable[[goprobe.Stop], object], stops: int = STOPS) -> None:
    with goprobe.launch(binary, stdout=2, timeout=None) as program:
        for count, stop in enumerate(program.run(["main.add"]), 1):
            ask(stop)
            if count > stops:
                return


def _calls(binary: str) -> None:
    with goprobe.launch(binary, stdout=2, timeout=None) as program:
        for count, call in enumerate(program.calls("main.add"), 1):
            assert call.end != "return" or call.results[0] == call.args["a"].py + call.args["b"].py
            if count > _CALLS:
                return


def _when(binary: str) -> None:
    with goprobe.launch(binary, stdout=2, timeout=None) as program:
        next(program.run(["main.add"], when=f"a == {STOPS - 1} && b == 2"))


def _growth(binary: str) -> float:
    """MiB that the process grows between two counts of stops."""
    at = []
    with goprobe.launch(binary, stdout=2, timeout=None) as program:
        for count, stop in enumerate(program.run(["main.add"], when="a >= 0"), 1):
            int(stop["b"])
            if count in (2_000, _MANY):
                at.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
            if count == _MANY:
                break
    return (at[1] - at[0]) / 1024


def _machine_interface(gdb: GdbTool, binary: str) -> None:
    """Nothing but -exec-continue, over and over."""
    with subprocess.Popen(
        [*gdb.command, "-nx", "-q", "--interpreter=mi3", binary],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0,
        env={**os.environ, **gdb.environment},
    ) as process:  # fmt: skip
        assert process.stdin and process.stdout
        ready, said = select.poll(), b""
        ready.register(process.stdout, select.POLLIN)
        for line, awaited in [
            *((line, b"^") for line in _SETTINGS), ("-exec-run", b"*stopped"),
            *[("-exec-continue", b"*stopped")] * _MI_STOPS,
        ]:  # fmt: skip
            process.stdin.write(f"{line}\n".encode())
            while awaited not in said:
                ready.poll()
                said += os.read(process.stdout.fileno(), 1 << 16)
            said = said.split(awaited, 1)[1]
        process.kill()


def _has_python(gdb: GdbTool) -> bool:
    ran = subprocess.run(
        [*gdb.command, "-nx", "-batch", "-ex", "python print('yes')"],
        capture_output=True, check=False, env={**os.environ, **gdb.environment},
    )  # fmt: skip
    return ran.stdout.strip() == b"yes"


def _gdb_python(gdb: GdbTool, binary: str, *, read: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "at.py"
        path.write_text(_IN_GDB.replace("READ", str(read)).replace("STOPS", str(STOPS)))
        subprocess.run(
            [*gdb.command, "-nx", "-batch", "-iex", "handle all nostop noprint pass",
             "-iex", "handle SIGTRAP stop print nopass", "-x", str(path), binary],
            check=False, capture_output=True, timeout=300,
            env={**os.environ, **gdb.environment},
        )  # fmt: skip
