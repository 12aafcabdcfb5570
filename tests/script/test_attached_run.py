"""Breakpoints in a process that runs already, and stopping a program that runs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

import goprobe
from goprobe.binary.elf.elf import ElfFile
from tests.support.go import Running, build, matrix, running

_PROGRAM = Path("testdata/calls/calls.go")
_WAITS = """
import sys
import goprobe
with goprobe.attach(int(sys.argv[1])) as process:
    for stop in process.run(["main.step"], when="i == -1"):
        pass
"""


def _goes_on(program: Running, binary: Path) -> bool:
    """Whether nobody holds it, and its code is that of the file."""
    status = Path(f"/proc/{program.pid}/status").read_text()
    if program.process.poll() is not None or "TracerPid:\t0" not in status:
        return False
    elf = ElfFile(binary)
    text = elf.section(".text")
    assert text is not None
    with open(f"/proc/{program.pid}/mem", "rb", buffering=0) as memory:
        live = os.pread(memory.fileno(), text.size, text.address)
    return live == elf.read(text.address, text.size)


@pytest.mark.parametrize("go", matrix())
def test_stops_of_a_running_process(go: str) -> None:
    binary = build(_PROGRAM, go=go)
    with running(binary, "serve") as program, goprobe.attach(program.pid) as process:
        seen = []
        for stop in process.run(["main.step"], when="i == 150"):
            assert stop["i"] == 150 and 0 <= int(stop["worker"]) < 4
            assert stop.function == "main.step" and stop.goroutine > 1
            assert stop.frames[1].function == "main.crowd.func1"
            caller = stop.finish()
            assert caller is not None  # another goroutine may come to the breakpoint meanwhile
            assert caller.cut == "finish" or caller.function == "main.crowd.func1"
            seen.append(caller.pc)
            if len(seen) == 3:
                break
        assert len(seen) == 3
        assert _goes_on(program, binary)
        program.read_until("round")
        assert process.goroutines().pid == program.pid


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_however_a_script_ends_the_process_goes_on(number: signal.Signals) -> None:
    binary = build(_PROGRAM)
    with (
        running(binary, "serve") as program,
        subprocess.Popen(
            [sys.executable, "-c", _WAITS, str(program.pid)], stderr=subprocess.DEVNULL
        ) as script,
    ):
        deadline = time.monotonic() + 30
        status = Path(f"/proc/{program.pid}/status")
        while "TracerPid:\t0" in status.read_text() and time.monotonic() < deadline:
            time.sleep(0.05)
        time.sleep(0.5)
        script.send_signal(number)
        script.wait(30)
        while not _goes_on(program, binary) and time.monotonic() < deadline + 30:
            time.sleep(0.05)
        assert _goes_on(program, binary)
        program.read_until("round")


def test_a_running_program_is_paused() -> None:
    with goprobe.launch(str(build(_PROGRAM)), ["serve"], stdout=2) as program:
        threading.Timer(1.0, program.pause).start()
        stop = next(program.run(["main.leaves"]))
        assert (stop.reason, stop.where) == ("paused", "")
        assert stop.pc and stop.goroutines()
        assert next(program.run(["main.once2"])).where == "main.once2"
        threading.Timer(1.0, program.pause).start()
        assert all(call.function == "main.step" for call in program.calls("main.step"))
        assert program.stop is not None and program.stop.reason == "calls"
