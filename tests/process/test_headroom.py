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

from goprobe.process.proc.cgroupplaces import View, placed
from goprobe.process.proc.headroom import gauges, headroom
from goprobe.process.proc.memorycgroups import Bound, Charge, charge_at, gauges_at
from tests.support.cgroups import contained, enter, is_version_2, memory_cgroup, mounted_at

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


def test_what_is_no_file_of_the_kernels_is_not_waited_for(tmp_path: Path) -> None:
    """In /proc/PID/root/sys/fs/cgroup may be what the process put there."""
    for name in ("memory.limit_in_bytes", "memory.usage_in_bytes", "memory.max", "memory.high"):
        os.mkfifo(tmp_path / name)
    for kind, line in (("cgroup2 x rw", "0::/\n"), ("cgroup x rw,memory", "4:memory:/\n")):
        assert not list(gauges_at(placed(line, [mounted_at(tmp_path, kind=kind)])))
        assert charge_at(placed(line, [mounted_at(tmp_path, kind=kind)])).why


def test_cgroups_of_a_process_that_is_gone() -> None:
    assert [gauge.what for gauge in gauges(1 << 22)] == ["this machine"]


def _write(folder: Path, **files: object) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        where = folder / name.replace("memory_", "memory.").replace("oom_", "oom.")
        where.with_name(where.name.replace("swap_", "swap.")).write_text(f"{text}\n")


MIB = 1 << 20


def test_cgroups_of_version_2(tmp_path: Path) -> None:
    folder = tmp_path / "a b.slice" / "service"

    def found(**files: object) -> list[tuple[int, int]]:
        _write(folder, **files)
        cgroups = gauges_at(placed("0::/a b.slice/service\n", [mounted_at(tmp_path)]))
        return [(gauge.left() >> 20, gauge.floor >> 20) for gauge in cgroups]

    assert found(memory_max="max", memory_current=300 * MIB, memory_high="max") == []
    assert found(memory_max=400 * MIB) == [(100, 32)]
    assert found(memory_high=350 * MIB) == [(100, 32), (50, 32)]
    cached = f"anon 1\ninactive_file {20 * MIB}\n"
    assert found(memory_stat=cached) == [(120, 32), (70, 32)]
    assert found(memory_oom_group=1) == [(120, 96), (70, 96)]
    assert found(memory_current=500 * MIB) == [(0, 96), (0, 96)]


def test_what_version_2_charges_adds_up(tmp_path: Path) -> None:
    folder = tmp_path / "with blank" / "service"
    stat = {"anon": 100, "file": 40, "kernel": 30, "kernel_stack": 4, "pagetables": 6, "slab": 15}
    stat |= {"sock": 2, "shmem": 10, "inactive_file": 7}
    text = "".join(f"{name} {size * MIB}\n" for name, size in stat.items())
    _write(folder, memory_stat=text, memory_current=175 * MIB)

    def told() -> Charge:
        return charge_at(placed("0::/service\n", [mounted_at(tmp_path / "with blank")]))

    charge = told()
    assert (charge.limit, charge.left, charge.high, charge.why) == (None, None, None, "")
    assert (charge.swap, charge.swap_limit) == (None, None)
    parts = dict(charge.parts)
    assert sum(parts.values()) == charge.bytes == 175 * MIB
    assert parts["other kernel"] == 5 * MIB and parts["other"] == 3 * MIB
    assert not {"shmem", "inactive_file", "kernel"} & parts.keys()  # parts of these
    _write(folder, memory_max=200 * MIB, memory_high=180 * MIB)
    _write(folder, memory_swap_current=9 * MIB, memory_swap_max=20 * MIB)
    charge = told()
    assert (charge.limit, charge.left) == (Bound(200 * MIB, ""), 25 * MIB)
    assert charge.high == Bound(180 * MIB, "")
    assert (charge.swap, charge.swap_limit) == (9 * MIB, Bound(20 * MIB, ""))


def test_a_group_that_is_not_counted_has_the_charge_and_the_least_limits_of_those_above(
    tmp_path: Path,
) -> None:
    """Memory may not be handed down (cgroup.subtree_control), and a limit be set further up."""
    (tmp_path / "slice/service/inner").mkdir(parents=True)
    _write(tmp_path / "slice", memory_current=90, memory_max=100, memory_high="max")
    _write(tmp_path / "slice/service", memory_current=50, memory_max="max", memory_high=70)
    charge = charge_at(placed("0::/slice/service/inner\n", [mounted_at(tmp_path)]))
    assert (charge.name, charge.bytes) == ("the memory cgroup slice/service", 50)
    assert (charge.limit, charge.left) == (Bound(100, "the memory cgroup slice"), 10)
    assert charge.high == Bound(70, "")


def test_a_cgroup_is_looked_for_where_it_is_mounted_and_else_in_the_processes_own_view(
    tmp_path: Path,
) -> None:
    """A cgroup beside our namespace, a part of the hierarchy alone, and one that is hidden."""
    ours, its = tmp_path / "ours", tmp_path / "its"
    _write(ours, memory_current=1, memory_max=2)
    _write(its, memory_current=30, memory_max=40)
    beside = [mounted_at(ours), mounted_at(its, "/../other", whose="its")]
    charge = charge_at(placed("0::/../other\n", beside))
    assert (charge.name, charge.bytes) == ("the memory cgroup of its container", 30)
    _write(its / "inner", memory_current=20, memory_max="max")
    charge = charge_at(placed("0::/docker/x/inner\n", [mounted_at(its, "/docker/x")]))
    assert (charge.name, charge.bytes) == ("the memory cgroup inner", 20)
    assert charge.limit == Bound(40, "the memory cgroup of this container")
    for hidden in ("0::/docker/y\n", "0::/../z\n", "4:memory:/docker/x\n", ""):
        charge = charge_at(placed(hidden, [mounted_at(its, "/docker/x")]))
        assert charge.why == "no memory cgroup of the process can be seen from here"
    of_another = mounted_at(its).mounts.replace(" 20 ", " 20 4095:1 0:", 1)
    assert not list(placed("0::/\n", [View(of_another, Path("/"), "this")]))  # mounted over it


def test_the_root_of_all_is_charged_with_nothing(tmp_path: Path) -> None:
    charge = charge_at(placed("0::/\n", [mounted_at(tmp_path)]))
    assert "in no memory cgroup but the machine's" in charge.why
