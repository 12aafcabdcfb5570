"""Everything that can happen to a target, or to us, in the middle of a stop."""

from __future__ import annotations

import random
import subprocess
import sys
import time

import pytest

from goprobe.errors import TargetError, TargetGoneError
from goprobe.process.proc.maps import read_maps
from goprobe.process.ptrace.stop import stopped
from tests.process.targets import (
    ask,
    assert_free,
    assert_healthy,
    target,
    threads_of,
    tries,
)
from tests.support.go import matrix, releases


def test_threads_by_the_hundred() -> None:
    with target("threads") as program:
        before = ask(program, "born")[0]
        for _ in range(tries(100, 2000)):
            with stopped(program.pid) as process:
                assert set(process.threads) == set(threads_of(program.pid))
        assert ask(program, "born")[0] > before
        assert_free(program.pid)


_LETS_GO = """
import sys, time
from goprobe.process.calltracer.threads import Threads
from goprobe.process.ptrace import requests
threads = Threads(int(sys.argv[1]))
threads.seize_all(ours=False)
began = time.monotonic()
stopped = threads.stop_all()
print(time.monotonic() - began, len(stopped))
for tid, number in stopped:
    requests.detach(tid, number)
"""


def test_threads_that_are_born_while_it_is_taken_hold_of_are_waited_for_once() -> None:
    for _ in range(6):
        with target("threads", "stay") as program:
            told = subprocess.run(
                [sys.executable, "-c", _LETS_GO, str(program.pid)],
                check=True, capture_output=True, text=True, timeout=60,
            )  # fmt: skip
            took, stopped = map(float, told.stdout.split())
            assert took < 4 and stopped > 5
            assert_free(program.pid)


def test_execve_from_another_thread() -> None:
    turns = tries(40, 400)
    with target("again", str(turns)) as program:
        stops = 0
        deadline = time.monotonic() + 120
        while stops < 20 or not at_its_end(program.pid):
            assert time.monotonic() < deadline
            try:
                with stopped(program.pid) as process:
                    assert set(process.threads) == set(threads_of(program.pid))
                    assert read_maps(program.pid)
                stops += 1
            except TargetError as error:
                assert "\n" not in error.message
        assert_free(program.pid)
        program.read_until("done")


def at_its_end(pid: int) -> bool:
    from pathlib import Path

    return Path(f"/proc/{pid}/cmdline").read_bytes().startswith(b"again\x000\x00")


def test_exit_in_the_middle() -> None:
    for i in range(tries(30, 300)):
        with target("brief", str(i * 37 % 3000)) as program:
            with pytest.raises(TargetGoneError) as caught:
                while True:
                    with stopped(program.pid) as process:
                        process.memory.read_many([(r.sp, 8) for r in process.threads.values()])
            assert "\n" not in caught.value.message
            assert program.process.wait(10) == 7


def test_children_of_the_target_are_left_alone() -> None:
    with target("children") as program:
        _, before, _ = ask(program, "check")
        for _ in range(tries(200, 2000)):
            with stopped(program.pid):
                pass
        strange, waited, _ = ask(program, "check")
        assert not strange, program.complaints()
        assert waited > before
        assert_free(program.pid)


STOPS = """
import sys, time
from goprobe.process.ptrace.stop import stopped
print("begun", flush=True)
for _ in range(int(sys.argv[2])):
    with stopped(int(sys.argv[1]), timeout=30):
        pass
"""


def stopping(pid: int, times: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", STOPS, str(pid), str(times)], stdout=subprocess.PIPE
    )


def test_two_goprobes_at_once() -> None:
    with target("heart") as program:
        both = [stopping(program.pid, tries(50, 500)) for _ in range(2)]
        for process in both:
            process.communicate(timeout=120)
            assert process.returncode == 0
        assert_free(program.pid)
        assert_healthy(program)


@pytest.mark.parametrize("go", matrix())
def test_killed_at_any_moment(go: str) -> None:
    """SIGKILL ends goprobe at random points: the target goes on, free, its work right."""
    chance = random.Random(20)
    with target("heart", go=go) as program:
        for _ in range(tries(8, 100 if go == releases()[-1] else 20)):
            with stopping(program.pid, 1_000_000) as process:
                assert process.stdout and process.stdout.readline() == b"begun\n"
                time.sleep(chance.random() * 0.02)
                process.kill()
                process.wait()
            assert_free(program.pid)
        assert_healthy(program)
