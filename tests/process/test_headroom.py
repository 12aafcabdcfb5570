"""What may still be taken of memory, under real limits."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

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


def test_cgroups_of_version_2(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Read from files of that shape: which version a machine has is not for a test to choose."""
    paths = [
        line.split(":", 2)[2]
        for line in Path("/proc/self/cgroup").read_text().splitlines()
        if line.startswith("0::")
    ]
    if not paths:
        pytest.skip("no cgroup of version 2 here, not even without controllers")
    folder = tmp_path / paths[0].lstrip("/") if paths[0] != "/" else tmp_path
    folder.mkdir(parents=True, exist_ok=True)
    monkeypatch.setattr("goprobe.process.proc.headroom._CGROUPS", tmp_path)

    def found(**files: object) -> list[tuple[int, int]]:
        for name, text in files.items():
            (folder / name.replace("_", ".", 1).replace("oom_", "oom.")).write_text(f"{text}\n")
        _, *cgroups = gauges(os.getpid())
        return [(gauge.left() >> 20, gauge.floor >> 20) for gauge in cgroups]

    mib = 1 << 20
    assert found(memory_max="max", memory_current=300 * mib, memory_high="max") == []
    assert found(memory_max=400 * mib) == [(100, 32)]
    assert found(memory_high=350 * mib) == [(100, 32), (50, 32)]
    cached = f"anon 1\ninactive_file {20 * mib}\n"
    assert found(memory_stat=cached) == [(120, 32), (70, 32)]
    assert found(memory_oom_group=1) == [(120, 96), (70, 96)]
    assert found(memory_current=500 * mib) == [(0, 96), (0, 96)]
