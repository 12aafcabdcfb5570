"""Targets in memory cgroups that are nearly full: goprobe must not be why the kernel ends one."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from goprobe.cli.attach import ended
from goprobe.process.fork.plan import NoForkError, plan_fork
from goprobe.target.live import open_target
from tests.process.targets import PROGRAMS, target
from tests.process.test_guardian import line, python
from tests.support.cgroups import enter, killed, memory_cgroup
from tests.support.cli import command, environment
from tests.support.go import build


@contextmanager
def grower(folder: Path, mib: int) -> Iterator[subprocess.Popen[str]]:
    """A program in that cgroup that rewrites so much memory all the time."""
    with subprocess.Popen(
        [build(PROGRAMS / "grower.go"), str(mib)],
        preexec_fn=partial(enter, folder),
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            assert line(process) == "ready"
            yield process
        finally:
            process.kill()


def grow(process: subprocess.Popen[str], mib: int) -> str:
    assert process.stdin
    process.stdin.write(f"{mib}\n")
    process.stdin.flush()
    return line(process)


def test_no_copy_where_all_that_is_rewritten_would_not_fit() -> None:
    with memory_cgroup(400) as folder, grower(folder, 200) as program:
        with pytest.raises(NoForkError, match=f"{folder.name} has only 1.. MiB .* copy up to 2"):
            plan_fork(program.pid)
        with memory_cgroup_is_wide_enough(folder, 700):
            plan_fork(program.pid)
            # Half a GiB that we take ourselves counts where we are in the same one.
            plan_fork(program.pid, 512 << 20)


@contextmanager
def memory_cgroup_is_wide_enough(folder: Path, mib: int) -> Iterator[None]:
    for name in ("memory.limit_in_bytes", "memory.max"):
        if (folder / name).exists():
            (folder / name).write_text(str(mib << 20))
    yield


COPY = """
import sys
from goprobe.errors import CopyLostError
from goprobe.process.fork.plan import plan_fork
from goprobe.process.fork.snapshot import forked
from goprobe.process.ptrace.stop import stopped
pid = int(sys.argv[1])
plan = plan_fork(pid)
try:
    with stopped(pid) as process, forked(process, plan) as snapshot:
        score = open(f"/proc/{snapshot.pid}/oom_score_adj").read().strip()
        print("copied", score, flush=True)
        sys.stdin.readline()
except CopyLostError as error:
    print("lost:", error.why, flush=True)
else:
    print("read", flush=True)
"""


def test_a_copy_is_let_go_of_before_memory_runs_short() -> None:
    with memory_cgroup(500) as folder, grower(folder, 100) as program:
        with python(COPY, program.pid, stdin=subprocess.PIPE) as process:
            assert line(process) == "copied 1000"
            for _ in range(6):  # from 100, with the 100 of the copy, to 560; without it to 460
                assert grow(program, 60) == "grown"
            assert process.stdin
            process.stdin.close()
            assert "MiB of memory left" in (said := line(process)) and folder.name in said
        assert grow(program, 1) == "grown" and killed(folder) == 0


def test_in_the_targets_own_cgroup_goprobe_gives_up_first() -> None:
    source = """
package main

import (
	"bufio"
	"fmt"
	"os"
)

type node struct {
	next *node
	data [3]int
}

func main() {
	var head *node
	for i := 0; i < 1 << 20; i++ {
		head = &node{next: head}
	}
	fmt.Println("ready")
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		fmt.Println("alive", head != nil)
	}
}
"""
    binary = build(source)
    refused = 0
    for mib in (160, 280, 340):
        with (
            memory_cgroup(mib) as folder,
            subprocess.Popen(
                [binary],
                preexec_fn=partial(enter, folder),
                text=True,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
            ) as program,
        ):
            assert line(program) == "ready"
            done = subprocess.run(
                command("heap", str(program.pid), "--types", "--retained"),
                preexec_fn=partial(enter, folder),
                env=environment(),
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
            refused += done.returncode == 3
            # Where it takes more at once than can be watched, the kernel ends it before others.
            assert done.returncode in (0, 3, -signal.SIGKILL), (mib, done)
            assert done.returncode != 3 or "MiB" in done.stderr, (mib, done)
            assert "Traceback" not in done.stderr
            out, _ = program.communicate("?\n", timeout=20)
            assert out.strip() == "alive true"
    assert refused


def test_a_target_that_is_dead_is_not_said_to_be_well(capsys: pytest.CaptureFixture[str]) -> None:
    with target("memory") as program:
        opened = open_target(program.pid)
        assert ended(opened) == 0 and ended(opened, 1) == 1
        program.process.kill()
        program.process.wait()
        assert ended(opened, 1) == 4
        assert f"process {program.pid} has ended" in capsys.readouterr().err


def test_goprobe_is_the_first_to_be_ended() -> None:
    code = """
import os, sys
from goprobe.cli.attach import opened
from goprobe.cli.options import Process
opened(Process(sys.argv[1]))
print(open("/proc/self/oom_score_adj").read().strip(), flush=True)
"""
    with target("memory") as program:
        done = subprocess.run(
            [sys.executable, "-c", code, str(program.pid)], capture_output=True, text=True
        )
        assert done.stdout.strip() == "1000", done.stderr
