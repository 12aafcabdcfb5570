"""Ctrl-C at any moment: no traceback, no bug, nothing left behind, and an end in time."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.cli import HELLO, environment
from tests.support.go import Running, build, running

SLEEPER = """package main

import (
	"os"
	"time"
)

func main() {
	os.Stdout.WriteString("ready\\n")
	time.Sleep(time.Hour)
}
"""
# As the installed command begins, but for what Python itself does before it.
START = "from goprobe.__main__ import main; main()"
TRIES = 24
LONGEST = 0.6
ENDED = {0, 130, -signal.SIGINT}


@pytest.fixture(scope="module")
def program() -> Iterator[Running]:
    with running(build(SLEEPER)) as found:
        yield found


def begun(pid: int) -> bool:
    """Waits until our code runs: it takes Python's way with SIGINT away first of all."""
    seen = False
    while True:
        try:
            lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        except OSError:
            return False
        caught = int(next(line.split()[1] for line in lines if line.startswith("SigCgt")), 16)
        pythons = bool(caught >> (signal.SIGINT - 1) & 1)
        if seen and not pythons:
            return True
        seen = seen or pythons
        if any(line.startswith("State:\tZ") for line in lines):
            return False


@pytest.mark.parametrize("command", ["trace", "heap", "goroutines", "where"])
def test_an_interrupt_at_any_moment(command: str, program: Running) -> None:
    arguments = {
        "trace": [str(HELLO)],
        "heap": [str(program.pid), "--types"],
        "goroutines": [str(program.pid), "--json"],
        "where": [str(program.pid), "0x400000"],
    }[command]
    chance = random.Random(command)
    codes: list[int] = []
    for number in range(TRIES // 4):
        child = subprocess.Popen(
            [sys.executable, "-c", START, command, *arguments],
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        if begun(child.pid):
            time.sleep(chance.random() * LONGEST * (number + 1) / (TRIES // 4))
            child.send_signal(signal.SIGINT)
            if number % 2:
                time.sleep(chance.random() / 20)
                child.send_signal(signal.SIGINT)
        _, said = child.communicate(timeout=60)
        codes.append(child.returncode)
        assert child.returncode in ENDED, said
        for word in (b"Traceback", b"bug", b"Exception ignored", b"Error"):
            assert word not in said, said
    assert set(codes) - {0}, "none of them came in time"
    assert program.process.poll() is None
    stat = Path(f"/proc/{program.pid}/stat").read_text().rpartition(")")[2].split()
    assert stat[0] in "SR"


SLOW = """package main

import (
	"fmt"
	"time"
)

func main() {
	for i := 0; ; i++ {
		fmt.Println("line", i)
		time.Sleep(200 * time.Millisecond)
	}
}
"""


def test_an_interrupted_trace_tells_what_it_saw() -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", START, "trace", str(build(SLOW)), "--break", "fmt.Println"],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        bufsize=0,
    )
    assert child.stdout
    while b"line 1" not in child.stdout.readline():
        assert child.poll() is None
    child.send_signal(signal.SIGINT)
    told, said = child.communicate(timeout=60)
    assert child.returncode == 0, said
    assert "interrupted: the program was ended" in " ".join((told + said).decode().split())
    assert b"Memory, as Go sees it" in told


def _import(folder: Path, body: str, *, number: int) -> subprocess.CompletedProcess[bytes]:
    """Imports a module of this text under goprobe's handler, and signals it after 0.3 s."""
    (folder / "slow.py").write_text(body)
    code = (
        "import os, signal, sys, threading, time\n"
        "from goprobe.cli.run import run\n"
        "class Command:\n"
        "    name, takes_program_args = 'do', False\n"
        "    def run(self) -> int:\n"
        "        import slow\n"
        "        time.sleep(30)\n"
        "        return 0\n"
        f"threading.Timer(0.3, os.kill, (os.getpid(), {number})).start()\n"
        "sys.exit(run(['do'], (Command(),)))\n"
    )
    return subprocess.run(
        [sys.executable, "-c", code],
        env=environment(PYTHONPATH=str(folder)),
        capture_output=True,
        timeout=60,
    )


NAMING = """import time


class Name:
    def __set_name__(self, owner, name):
        deadline = time.monotonic() + 0.8
        while time.monotonic() < deadline:
            pass


class Owner:
    part = Name()
"""
DYING = """import time


class Dying:
    def __del__(self):
        deadline = time.monotonic() + 0.8
        while time.monotonic() < deadline:
            pass


def _die():
    Dying()


_die()
"""


@pytest.mark.parametrize("body", [NAMING, DYING], ids=["__set_name__", "__del__"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_where_python_would_lose_it(
    tmp_path: Path, body: str, number: signal.Signals
) -> None:
    done = _import(tmp_path, body, number=number)
    assert (done.returncode, done.stderr) == (128 + number, b"")


def test_an_import_that_never_ends_is_interrupted_all_the_same(tmp_path: Path) -> None:
    begun_at = time.monotonic()
    done = _import(tmp_path, "import time\ntime.sleep(40)\n", number=signal.SIGINT)
    assert done.returncode == 130 and time.monotonic() - begun_at < 20


@pytest.mark.parametrize("command", ["goroutines", "heap"])
def test_no_thread_of_ours_takes_signals(program: Running, command: str) -> None:
    """A signal that the main thread holds back goes to any thread that does not."""
    code = (
        "import os, sys\n"
        "from goprobe.cli import COMMANDS\n"
        "from goprobe.cli.run import run\n"
        "code = run(sys.argv[1:], COMMANDS)\n"
        "threads = len(os.listdir('/proc/self/task'))\n"
        "print('threads', threads, os.environ.get('OPENBLAS_NUM_THREADS'))\n"
        "sys.exit(code)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, command, str(program.pid)],
        env=environment(),
        capture_output=True,
        check=True,
        text=True,
    )
    assert done.stdout.splitlines()[-1] == f"threads 1 {os.environ.get('OPENBLAS_NUM_THREADS')}"
