"""A goprobe that is stopped itself, and targets that stand still because of it."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from goprobe.process.guardian.guardian import Guardian, guardian
from tests.process.targets import assert_free, assert_healthy, status, target, threads_of, tries
from tests.process.test_fork import FORKS, children, copies_of, gone

HOLDS = """
import sys, time
from goprobe.process.ptrace.stop import stopped
pid, seconds = int(sys.argv[1]), float(sys.argv[2])
with stopped(pid):
    print("held", flush=True)
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        time.sleep(0.01)
print("let go", flush=True)
time.sleep(60)
"""


@contextmanager
def python(
    code: str, *arguments: object, stdin: int = subprocess.DEVNULL
) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        process_group=0,  # ours may be orphaned: the terminal's signals stop nobody there
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def line(process: subprocess.Popen[str]) -> str:
    assert process.stdout
    return process.stdout.readline().strip()


def ends(pid: int, patience: float) -> None:
    """Waits until a process is gone; `patience` in seconds."""
    deadline = time.monotonic() + patience
    while not gone(pid):
        assert time.monotonic() < deadline, f"{pid} is still there"
        time.sleep(0.01)


def stands(pid: int) -> bool:
    return any(status(pid, tid)["State"][0] in "tT" for tid in threads_of(pid))


def until_free(pid: int, patience: float) -> float:
    began = time.monotonic()
    while stands(pid):
        if time.monotonic() - began > patience:
            raise AssertionError(f"{pid} still stands after {patience} s")
        time.sleep(0.01)
    return time.monotonic() - began


def reaches(pid: int, state: str) -> None:
    for _ in range(300):
        if status(pid)["State"][0] == state:
            return
        time.sleep(0.01)
    raise AssertionError(f"{pid} is not in state {state} but {status(pid)['State']}")


def guardian_of(pid: int) -> int:
    for _ in range(200):
        for child in children(pid):
            if status(child)["Name"] == "goprobe-guard":
                return child
        time.sleep(0.01)
    raise AssertionError(f"{pid} has no guardian")


def test_a_goprobe_that_is_stopped_lets_go_within_a_second_or_so() -> None:
    with target("heart") as program, python(HOLDS, program.pid, 0.2) as process:
        assert line(process) == "held"
        os.kill(process.pid, signal.SIGSTOP)
        assert until_free(program.pid, 3) > 0.5
        # It is stopped, as somebody wished, once nobody stands because of it.
        reaches(process.pid, "T")
        assert_free(program.pid)
        assert_healthy(program)
        os.kill(process.pid, signal.SIGCONT)
        assert line(process) == "let go"


def test_one_that_is_stopped_again_and_again_is_ended() -> None:
    with target("heart") as program, python(HOLDS, program.pid, 60) as process:
        assert line(process) == "held"
        for _ in range(100):
            os.kill(process.pid, signal.SIGSTOP)
            if process.poll() is not None:
                break
            time.sleep(0.1)
        assert process.wait(10) == -signal.SIGKILL
        assert process.stderr and f"process {program.pid} stood still" in process.stderr.read()
        assert_free(program.pid)
        assert_healthy(program)


@pytest.mark.parametrize("number", [signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU])
def test_the_terminals_stop_waits_until_the_target_goes_on(number: signal.Signals) -> None:
    with target("heart") as program, python(HOLDS, program.pid, 0.4) as process:
        assert line(process) == "held"
        os.kill(process.pid, number)
        time.sleep(0.2)
        assert status(process.pid)["State"][0] not in "tT" and stands(program.pid)
        reaches(process.pid, "T")
        assert_free(program.pid)
        assert_healthy(program)
        os.kill(process.pid, signal.SIGCONT)
        assert line(process) == "let go"


@pytest.mark.parametrize("number", [signal.SIGTSTP, signal.SIGSTOP])
def test_stopped_at_any_moment(number: signal.Signals) -> None:
    """While it makes copies one after the other: the target never stands for long."""
    chance = random.Random(11)
    with target("heart") as program:
        for _ in range(tries(6, 60)):
            with python(FORKS, program.pid) as process:
                assert line(process) == "begun"
                time.sleep(chance.random() * 0.1)
                os.kill(process.pid, number)
                # By Ctrl-Z it is stopped between two stops, so nobody stands.
                until_free(program.pid, 3.0 if number == signal.SIGSTOP else 0.5)
        assert_free(program.pid)
        for _ in range(500):
            if not children(program.pid) and not copies_of(program.pid):
                break
            time.sleep(0.01)
        assert children(program.pid) == [] and copies_of(program.pid) == []
        assert_healthy(program)


def test_a_copy_that_nobody_reads_is_let_go_of() -> None:
    with target("memory") as program, python(KEEPS, program.pid) as process:
        copy = int(line(process))
        os.kill(process.pid, signal.SIGSTOP)
        ends(copy, 15)
        os.kill(process.pid, signal.SIGCONT)
        assert line(process) == "lost: goprobe was stopped for 10 s"


KEEPS = """
import sys, time
from goprobe.errors import CopyLostError
from goprobe.process.fork.plan import plan_fork
from goprobe.process.fork.snapshot import forked
from goprobe.process.ptrace.stop import stopped
pid = int(sys.argv[1])
plan = plan_fork(pid)
try:
    with stopped(pid) as process, forked(process, plan) as snapshot:
        print(snapshot.pid, flush=True)
        began = time.monotonic()
        while time.monotonic() < began + 11:
            time.sleep(0.1)
except CopyLostError as error:
    print("lost:", error.why, flush=True)
"""


def test_the_guardian_goes_when_we_do() -> None:
    for end in (signal.SIGKILL, signal.SIGTERM):
        with target("memory") as program, python(HOLDS, program.pid, 60) as process:
            assert line(process) == "held"
            watcher = guardian_of(process.pid)
            assert os.getsid(watcher) == watcher
            process.send_signal(end)
            process.wait(10)
            ends(watcher, 2)


def test_the_guardian_goes_though_a_child_of_ours_lives_on() -> None:
    """Which has what we have open, the guardian's pipe too."""
    code = HOLDS.replace(
        "time.sleep(60)", "import os\nprint(os.fork(), flush=True)\ntime.sleep(60)"
    )
    with target("memory") as program, python(code, program.pid, 0.01) as process:
        assert [line(process), line(process)] == ["held", "let go"]
        watcher, child = guardian_of(process.pid), int(line(process)) or int(line(process))
        process.kill()
        process.wait()
        try:
            ends(watcher, 2)
        finally:
            os.kill(child, signal.SIGKILL)


def test_a_fork_of_ours_has_a_guardian_of_its_own() -> None:
    ours = guardian()
    assert guardian() is ours
    pid = os.fork()
    if not pid:
        other = guardian()
        os._exit(0 if other is not ours and other.pid not in (0, ours.pid) else 1)
    assert os.waitpid(pid, 0)[1] == 0
    reaches(ours.pid, "S")


def test_where_no_process_can_be_made_nobody_guards(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> int:
        raise BlockingIOError(11, "no room")

    monkeypatch.setattr(os, "fork", refuse)
    alone = Guardian()
    assert not alone.pid
    with alone.holding(1):
        pass
