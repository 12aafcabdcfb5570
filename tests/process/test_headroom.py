"""What may still be taken of memory, under real limits."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

import pytest

from goprobe.process.proc import memorycgroups
from goprobe.process.proc.headroom import gauges, headroom
from goprobe.process.proc.memorycgroups import charge_of
from tests.support.cgroups import contained, enter, is_version_2, memory_cgroup

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


SEE = """
import sys
from goprobe.process.proc.headroom import gauges
for gauge in gauges(int(sys.argv[1])):
    if gauge.left() < 1 << 50:
        print(gauge.left() >> 20, gauge.what)
"""


def test_from_another_container() -> None:
    """As with `kubectl debug --target`: the same pids, and each sees its own cgroup alone."""
    with memory_cgroup(300) as its, memory_cgroup(900) as ours:
        with subprocess.Popen(
            [*contained(its), "sleep", "60"], preexec_fn=partial(enter, its)
        ) as target:
            try:
                while b"sleep" not in Path(f"/proc/{target.pid}/cmdline").read_bytes():
                    time.sleep(0.01)
                see = [sys.executable, "-c", SEE, str(target.pid)]
                inside = subprocess.run(
                    [*contained(ours), *see],
                    preexec_fn=partial(enter, ours),
                    capture_output=True,
                    text=True,
                )
                outside = subprocess.run(see, capture_output=True, text=True)
            finally:
                target.kill()
        container = [line.split(" ", 1) for line in inside.stdout.splitlines()]
        assert [what for _, what in container] == [
            "this machine",
            "the memory cgroup of its container",
        ], inside
        assert 250 < int(container[1][0]) <= 300
        assert any(its.name in line for line in outside.stdout.splitlines()), outside
        assert "container" not in outside.stdout  # it is the same one, seen twice


def test_version_2_for_real() -> None:
    """All tests that use `memory_cgroup` are of whichever version this machine has."""
    with tempfile.TemporaryDirectory() as folder:
        mounted = f"mount -t cgroup2 x {folder} && cat {folder}/cgroup.controllers"
        done = subprocess.run(["unshare", "-Cm", "sh", "-c", mounted], capture_output=True)
    if b"memory" not in done.stdout.split():
        pytest.skip(
            "cgroup v2 does not control memory on this machine: that goprobe reads it is known "
            "of files of that shape alone"
        )
    with memory_cgroup(300) as cgroup:
        assert is_version_2(cgroup), "memory is controlled by version 2, and a cgroup has no limit"


def test_what_is_no_file_of_the_kernels_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """In /proc/PID/root/sys/fs/cgroup may be what the process put there."""
    for name in ("memory/memory.limit_in_bytes", "memory.max", "unified/memory.max"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        os.mkfifo(tmp_path / name)
    monkeypatch.setattr("goprobe.process.proc.memorycgroups.CGROUPS", tmp_path)
    assert [gauge.what for gauge in gauges(os.getpid())] == ["this machine"]


def test_cgroups_of_a_process_that_is_gone() -> None:
    assert [gauge.what for gauge in gauges(1 << 22)] == ["this machine"]


@pytest.fixture
def version_2(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Our folder where cgroups are of version 2: files of that shape, for which version a machine
    has is not for a test to choose."""
    paths = [
        line.split(":", 2)[2]
        for line in Path("/proc/self/cgroup").read_text().splitlines()
        if line.startswith("0::")
    ]
    if not paths:
        pytest.skip("no cgroup of version 2 here, not even without controllers")
    folder = tmp_path / "root" / paths[0].lstrip("/")
    folder.mkdir(parents=True, exist_ok=True)
    monkeypatch.setattr("goprobe.process.proc.memorycgroups.CGROUPS", tmp_path / "root")
    return folder


def test_cgroups_of_version_2(version_2: Path) -> None:
    folder = version_2

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


def test_what_version_2_charges_adds_up(version_2: Path) -> None:
    mib = 1 << 20
    stat = {"anon": 100, "file": 40, "kernel": 30, "kernel_stack": 4, "pagetables": 6, "slab": 15}
    stat |= {"sock": 2, "shmem": 10, "inactive_file": 7}
    (version_2 / "memory.stat").write_text(
        "".join(f"{name} {size * mib}\n" for name, size in stat.items())
    )
    (version_2 / "memory.current").write_text(f"{175 * mib}\n")
    charge = charge_of(os.getpid())
    assert (charge.limit, charge.left, charge.why) == (None, None, "")
    parts = dict(charge.parts)
    assert sum(parts.values()) == charge.bytes == 175 * mib
    assert parts["other kernel"] == 5 * mib and parts["other"] == 3 * mib
    assert not {"shmem", "inactive_file", "kernel"} & parts.keys()  # parts of these
    (version_2 / "memory.max").write_text(f"{200 * mib}\n")
    charge = charge_of(os.getpid())
    assert (charge.limit, charge.limit_of, charge.left) == (200 * mib, "", 25 * mib)


def test_the_charge_of_a_group_that_is_not_counted_is_that_of_the_one_above(
    version_2: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Memory may not be handed down (cgroup.subtree_control), and a limit be set further up."""
    monkeypatch.setattr(memorycgroups, "_seen_from", lambda root, path: "/slice/service/inner")
    root = memorycgroups.CGROUPS
    for name, used, limit in (("slice", 90, "100"), ("slice/service", 50, "max")):
        folder = root / name
        folder.mkdir(parents=True)
        (folder / "memory.current").write_text(str(used))
        (folder / "memory.max").write_text(limit)
    charge = charge_of(os.getpid())
    assert (charge.name, charge.bytes) == ("the memory cgroup slice/service", 50)
    assert (charge.limit, charge.limit_of, charge.left) == (100, "the memory cgroup slice", 10)
