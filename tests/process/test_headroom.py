"""What may still be taken of memory, under real limits."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from goprobe.process.proc.headroom import gauges, headroom
from tests.support.cgroups import memory_cgroup

ASK = """
import os, resource, sys
from goprobe.process.proc.headroom import headroom
if sys.argv[1].startswith("/"):
    open(sys.argv[1], "w").write(str(os.getpid()))
else:
    kind = {"as": resource.RLIMIT_AS, "data": resource.RLIMIT_DATA}[sys.argv[1]]
    resource.setrlimit(kind, (1 << 30, 1 << 30))
found = headroom()
print(found.bytes, found.what)
"""


def ask(how: str) -> tuple[int, str]:
    done = subprocess.run([sys.executable, "-c", ASK, how], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    size, _, what = done.stdout.strip().partition(" ")
    return int(size), what


def test_no_limits_but_the_machines() -> None:
    assert 0 < headroom().bytes < 1 << 50
    assert headroom(os.getppid()).bytes <= 1 << 50


@pytest.mark.parametrize(("kind", "name"), [("as", "ulimit -v"), ("data", "ulimit -d")])
def test_our_own_limits(kind: str, name: str) -> None:
    size, what = ask(kind)
    assert (1 << 28) < size < 1 << 30 and name in what


def test_a_memory_cgroup() -> None:
    with memory_cgroup(300) as cgroup:
        size, what = ask(str(cgroup / "cgroup.procs"))
        assert (200 << 20) < size <= 300 << 20 and cgroup.name in what


def test_cgroups_of_a_process_that_is_gone() -> None:
    assert [gauge.what for gauge in gauges(1 << 22)] == ["this machine"]
