"""Why the process of a core ended, held against what the runtime printed as it did."""

from __future__ import annotations

import html
import os
import re
import resource
import struct
import subprocess
from pathlib import Path

import pytest
from msgspec import UNSET

import goprobe
from goprobe.analysis.goroutines.goroutines import goroutines
from goprobe.arch.registers import REGISTERS_SIZE
from goprobe.model.attached import Crash, GoroutinesReport
from goprobe.process.core.notes import read_notes
from goprobe.report import RenderOptions, render
from goprobe.target.core import open_core
from tests.support.gdb import gdbs, write_core
from tests.support.go import build, matrix, running

TESTDATA = Path(__file__).parents[2] / "testdata" / "goroutines"
PATTERN = Path("/proc/sys/kernel/core_pattern")
HOW = (
    "nil", "far", "index", "text", "error", "coded", "number", "truth", "struct", "twice",
    "recovered", "assertion", "maps", "unlock", "deadlock", "killed",
    "otherwise",
)  # fmt: skip
_PRINTED = re.compile(r"^\s*(panic|fatal error): (.*)$", re.M)
_SIGNAL = re.compile(r"\[signal (SIG\w+): .* addr=(0x[0-9a-f]+) ")
_OF = re.compile(r"^goroutine (\d+) .*\[running", re.M)


def _crashed(binary: Path, how: str, folder: Path) -> tuple[str, Path]:
    """What it printed, and the kernel's core."""
    if not PATTERN.exists() or PATTERN.read_text().startswith(("|", "/")):
        pytest.skip("the kernel gives its cores to another program here")
    old = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (old[1], old[1]))
    try:
        env = {**os.environ, "GOTRACEBACK": "crash"}
        ran = subprocess.run(
            [binary, how], env=env, cwd=folder, capture_output=True, text=True, timeout=60
        )
    finally:
        resource.setrlimit(resource.RLIMIT_CORE, old)
    cores = list(folder.glob("core*"))
    if not cores:
        pytest.skip("the kernel writes no cores here")
    return ran.stderr, cores[0]


def _told(core: Path, binary: Path) -> tuple[GoroutinesReport, Crash]:
    report = goroutines(open_core(str(core), str(binary)))
    assert report.crash is not UNSET
    return report, report.crash


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("stripped", [False, True], ids=["debug", "stripped"])
@pytest.mark.parametrize("go", matrix())
def test_a_core_says_why_it_crashed(go: str, stripped: bool, how: str, tmp_path: Path) -> None:
    flags = ("-ldflags=-s -w",) if stripped else ()
    binary = build(TESTDATA / "crashes.go", go=go, flags=flags)
    printed, core = _crashed(binary, how, tmp_path)
    report, crash = _told(core, binary)
    shown = render(report, "text", RenderOptions(width=100)).decode()
    assert crash.ended_by == "SIGABRT"
    if how in ("killed", "otherwise"):
        assert (crash.kind, crash.signal, crash.message) == ("signal", "SIGABRT", "")
        assert "Ended by SIGABRT" in shown
        return
    said = _PRINTED.findall(printed)
    assert said and said[-1] == (crash.kind, crash.message)
    assert [text for kind, text in said[:-1] if kind == "panic"] == list(crash.earlier)
    signal = _SIGNAL.search(printed)
    assert (signal[1] if signal else "") == crash.signal
    assert (str(crash.address) if crash.address is not UNSET else "") == (
        signal[2] if signal else ""
    )
    if how != "deadlock":
        number = _OF.search(printed)
        assert number and crash.goroutine == int(number[1])
        assert "  crashed" in shown
    assert f"{crash.kind}: {crash.message}" in shown
    page = render(report, "html", RenderOptions()).decode()
    assert f"{crash.kind}: {crash.message}" in html.unescape(page)
    if how == "twice":
        assert "while it panicked already: first" in shown


def test_a_core_of_gdb_says_it_too(tmp_path: Path) -> None:
    binary, core, tool = build(TESTDATA / "crashes.go"), tmp_path / "core", gdbs()[-1]
    command = [
        *tool.command, "-nx", "-batch", "-ex", "set env GOTRACEBACK crash",
        "-ex", "set startup-with-shell off", "-ex", "handle SIGSEGV SIGURG nostop noprint pass",
        "-ex", "run index", "-ex", f"gcore {core}", "-ex", "kill", "--args", str(binary),
    ]  # fmt: skip
    env = {**os.environ, **tool.environment}
    subprocess.run(command, capture_output=True, timeout=120, env=env, check=False)
    _, crash = _told(core, binary)
    assert crash.message == "runtime error: index out of range [5] with length 3"
    assert (crash.kind, crash.ended_by) == ("panic", "SIGABRT") and crash.goroutine


def test_of_what_was_well_nothing_is_said(tmp_path: Path) -> None:
    binary = build(TESTDATA / "crashes.go")
    with running(binary, "wait", ready="ready") as program:
        write_core(program.pid, tmp_path / "core")
        live = goprobe.attach(program.pid).goroutines()
    report = goroutines(open_core(str(tmp_path / "core"), str(binary)))
    assert live.crash is UNSET and report.crash is UNSET


@pytest.mark.parametrize(("number", "code", "fault"), [(11, 1, 0x18), (11, 0, -1), (6, -6, -1)])
def test_the_address_is_that_of_the_signal(number: int, code: int, fault: int) -> None:
    """Of a signal that was sent there is none."""
    status = bytearray(112 + REGISTERS_SIZE)
    struct.pack_into("<h", status, 12, number)
    struct.pack_into("<i", status, 32, 77)
    info = struct.pack("<iiiiQ", number, 0, code, 0, 0x18)
    notes = b"".join(
        struct.pack("<III", 5, len(text), kind) + b"CORE\0\0\0\0" + text + bytes(-len(text) % 4)
        for kind, text in ((1, bytes(status)), (0x53494749, info))
    )
    read = read_notes(notes)
    assert (read.signal, read.fault) == (number, fault)
