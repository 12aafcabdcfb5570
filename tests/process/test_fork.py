"""Snapshots by fork: consistent, and without a trace in the process that was forked."""

from __future__ import annotations

import ctypes
import os
import random
import shutil
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from goprobe.arch.registers import NO_SYSCALL, Registers
from goprobe.arch.sigframe import can_be_resumed, resumed
from goprobe.errors import GoprobeError, TargetGoneError
from goprobe.process.fork import snapshot
from goprobe.process.fork.plan import NoForkError, plan_fork
from goprobe.process.fork.snapshot import forked
from goprobe.process.proc.identity import incarnation
from goprobe.process.proc.maps import read_maps
from goprobe.process.ptrace import requests
from goprobe.process.ptrace.stop import StoppedProcess, stopped
from tests.process.targets import (
    ask,
    assert_free,
    assert_healthy,
    come_to_rest,
    status,
    target,
    threads_of,
    tries,
)
from tests.support.cgroups import mounted_at
from tests.support.go import Running, build, has_gcc, matrix, releases, running
from tests.support.waiting import until

PROGRAMS = Path(__file__).parent / "programs"


def children(pid: int) -> list[int]:
    found = []
    for tid in threads_of(pid):
        text = Path(f"/proc/{pid}/task/{tid}/children").read_text()
        found += [int(word) for word in text.split()]
    return found


def gone(pid: int) -> bool:
    """Dead, and at most waiting for the system's reaper."""
    try:
        return status(pid)["State"][0] in "ZX"
    except OSError:
        return True


def assert_gone(pid: int) -> None:
    for _ in range(500):
        if gone(pid):
            return
        time.sleep(0.01)
    raise AssertionError(f"{pid} is still there: {status(pid)}")


Ranges = list[tuple[int, int]]


def writable(pid: int) -> Ranges:
    """All but the stack of the kernel's making, where our own chain of calls lies."""
    maps = [m for m in read_maps(pid) if "w" in m.perms and m.path != "[stack]"]
    return [(m.low, min(m.size, 1 << 22)) for m in maps]


def test_the_child_has_what_the_target_had() -> None:
    with target("memory") as program:  # no signals on their way, whose handlers would run first
        plan = plan_fork(program.pid)
        come_to_rest(program.pid)
        with stopped(program.pid) as process:
            ranges = writable(program.pid)
            before = process.memory.read_many(ranges)
            with forked(process, plan) as snapshot:
                assert snapshot.memory.read_many(ranges) == before


def test_the_child_keeps_what_the_target_changes() -> None:
    with target("heart") as program:
        plan = plan_fork(program.pid)
        with stopped(program.pid) as process:
            ranges = writable(program.pid)
            with forked(process, plan) as snapshot:
                assert process.released and process.pause_us
                assert snapshot.threads == process.threads
                assert status(snapshot.pid)["State"][0] == "t"
                assert children(program.pid) == []
                before = snapshot.memory.read_many(ranges)
                until(lambda: process.memory.read_many(ranges) != before, "the heart beats on")
                assert snapshot.memory.read_many(ranges) == before
                assert_free(program.pid)
                assert_healthy(program)
        assert_gone(snapshot.pid)
        assert_healthy(program)


def test_nothing_is_left_on_the_stack() -> None:
    with target("memory") as program:
        stack = next(m for m in read_maps(program.pid) if m.path == "[stack]")
        for _ in range(3):
            plan = plan_fork(program.pid)
            with stopped(program.pid) as process, forked(process, plan):
                pass
            with stopped(program.pid) as process:
                assert not any(process.memory.read(stack.low, 8 * 4096))


def test_registers_come_back_to_the_last_bit() -> None:
    """Of a thread that sleeps in the kernel before and after, vector registers included."""
    with target("memory") as program:
        plan = plan_fork(program.pid)
        come_to_rest(program.pid)
        with stopped(program.pid) as process:
            maker = snapshot._choose_maker(process)
            before = process.threads[maker], requests.extended_state(maker)
            mask = requests.signal_mask(maker)
            assert before[0].syscall is not None
            with forked(process, plan):
                come_to_rest(program.pid)
        with stopped(program.pid) as process:
            assert process.threads[maker] == before[0]
            assert requests.extended_state(maker) == before[1]
            assert requests.signal_mask(maker) == mask


def busy(process: StoppedProcess) -> int:
    for tid, registers in process.threads.items():
        if registers.syscall is None and process.is_undisturbed(tid):
            return tid
    raise NoForkError("no thread is busy")


@pytest.mark.parametrize("go", matrix())
@pytest.mark.parametrize("who", ["waiting", "busy"])
def test_the_maker_goes_on_with_its_work(
    go: str, who: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if who == "busy":  # the heart's sums are made in vector registers
        monkeypatch.setattr(snapshot, "_choose_maker", busy)
    with target("heart", go=go) as program:
        plan = plan_fork(program.pid)
        made = 0
        for _ in range(1000):
            try:
                with stopped(program.pid) as process, forked(process, plan):
                    made += 1
            except NoForkError as error:
                assert error.why == "no thread is busy"
            if made == tries(30, 300):
                break
        assert made >= 5
        assert_free(program.pid)
        assert children(program.pid) == []
        assert_healthy(program)


@pytest.mark.parametrize("kind", ["pie", "cgo"])
def test_other_builds(kind: str) -> None:
    if kind == "cgo" and not has_gcc():
        pytest.skip("no gcc here")
    text = (PROGRAMS / "heart.go").read_text()
    if kind == "pie":
        binary = build(text, flags=("-buildmode=pie",))
    else:
        text = text.replace("import (", 'import "C"\n\nimport (', 1)
        binary = build(text, env={"CGO_ENABLED": "1"})
    with running(binary) as program:
        plan = plan_fork(program.pid)
        for _ in range(20):
            with stopped(program.pid) as process, forked(process, plan) as snapshot:
                assert snapshot.memory.read(process.threads[program.pid].sp, 8)
        assert_healthy(program)


def test_no_stranger_is_seen_by_who_waits_for_any_child() -> None:
    for mode in ([], ["alone"]):
        with target("children", *mode) as program:
            plan = plan_fork(program.pid)
            _, waited, signals = ask(program, "check")
            for _ in range(tries(30, 300)):
                with stopped(program.pid) as process, forked(process, plan):
                    pass
            strange, more, other = ask(program, "check")
            assert not strange, program.complaints()
            assert more > waited
            if mode:
                assert other == signals == 0


def test_a_file_that_the_target_closes_is_closed() -> None:
    source = """
package main

import (
	"bufio"
	"fmt"
	"os"
	"syscall"
)

func main() {
	var ends [2]int
	if err := syscall.Pipe(ends[:]); err != nil {
		panic(err)
	}
	fmt.Println("ready")
	lines := bufio.NewScanner(os.Stdin)
	lines.Scan()
	syscall.Close(ends[1])
	n, err := syscall.Read(ends[0], make([]byte, 1)) // ends only if nobody holds the other end
	fmt.Println("read", n, err == nil)
	lines.Scan()
}
"""
    with running(build(source)) as program:
        plan = plan_fork(program.pid)
        with stopped(program.pid) as process, forked(process, plan):
            program.say("close")
            assert program.read_line(timeout=10) == "read 0 true"


def test_the_target_ends_while_its_snapshot_is_read() -> None:
    with target("heart") as program:
        plan = plan_fork(program.pid)
        with stopped(program.pid) as process:
            sp = process.threads[program.pid].sp
            word = process.memory.read(sp, 8)
            with forked(process, plan) as snapshot:
                os.kill(program.pid, signal.SIGKILL)
                program.process.wait()
                assert snapshot.memory.read(sp, 8) == word
        assert_gone(snapshot.pid)


def test_the_target_is_killed_before_it_is_forked() -> None:
    with target("heart") as program:
        plan = plan_fork(program.pid)
        with pytest.raises((NoForkError, TargetGoneError)), stopped(program.pid) as process:
            os.kill(program.pid, signal.SIGKILL)
            with forked(process, plan):
                pass
        assert program.process.wait(10) == -signal.SIGKILL


FORKS = """
import sys
from goprobe.process.fork.plan import NoForkError, plan_fork
from goprobe.process.fork.snapshot import forked
from goprobe.process.ptrace.stop import stopped
pid = int(sys.argv[1])
plan = plan_fork(pid)
print("begun", flush=True)
while True:
    with stopped(pid, timeout=30) as process, forked(process, plan) as snapshot:
        snapshot.memory.read(process.threads[pid].sp, 8)
"""


@pytest.mark.parametrize("go", matrix())
def test_killed_at_any_moment(go: str) -> None:
    chance = random.Random(7)
    with target("heart", go=go) as program:
        for _ in range(tries(10, 100 if go == releases()[-1] else 20)):
            with subprocess.Popen(
                [sys.executable, "-c", FORKS, str(program.pid)], stdout=subprocess.PIPE
            ) as process:
                assert process.stdout and process.stdout.readline() == b"begun\n"
                time.sleep(chance.random() * 0.03)
                process.kill()
                process.wait()
            assert_free(program.pid)
            for _ in range(500):
                if not children(program.pid) and not copies_of(program.pid):
                    break
                time.sleep(0.01)
            assert children(program.pid) == [] and copies_of(program.pid) == []
        assert_healthy(program)
        # What the last one may have left behind disturbs nobody after it.
        plan = plan_fork(program.pid)
        with stopped(program.pid) as stop, forked(stop, plan):
            pass
        assert_healthy(program)


def copies_of(pid: int) -> list[int]:
    """Living processes that began as this very one: with the same random addresses."""
    own, found = incarnation(pid), []
    for path in Path("/proc").glob("[0-9]*"):
        other = int(path.name)
        try:
            same = other != pid and incarnation(other) == own
        except GoprobeError:
            continue
        if same and not gone(other):
            found.append(other)
    return found


def test_two_goprobes_fork_at_once() -> None:
    code = FORKS.replace("while True", "for _ in range(20)")
    with target("heart") as program:
        both = [
            subprocess.Popen([sys.executable, "-c", code, str(program.pid)], stdout=subprocess.PIPE)
            for _ in range(2)
        ]
        for process in both:
            process.communicate(timeout=120)
            assert process.returncode == 0
        assert_free(program.pid)
        assert_healthy(program)


def why_not(pid: int) -> str:
    with pytest.raises(NoForkError) as caught:
        plan_fork(pid)
    assert "\n" not in caught.value.why
    return caught.value.why


def test_no_fork_of_a_stopped_process() -> None:
    with target("memory") as program:
        os.kill(program.pid, signal.SIGSTOP)
        os.waitid(os.P_PID, program.pid, os.WSTOPPED)
        assert why_not(program.pid) == "it is stopped anyway"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a pid namespace")
def test_no_fork_of_the_first_process_of_a_namespace() -> None:
    if not shutil.which("unshare"):
        pytest.skip("no unshare here")
    outer = subprocess.Popen(
        ["unshare", "--pid", "--fork", build(PROGRAMS / "memory.go")],
        stdout=subprocess.PIPE,
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    with outer:
        assert outer.stdout and outer.stderr
        if not outer.stdout.readline():
            pytest.skip(f"no namespaces here: {outer.stderr.read()!r}")
        assert "first process of its pid namespace" in why_not(children(outer.pid)[0])
        outer.stdin.close()  # type: ignore[union-attr]
        outer.wait(20)


def test_no_fork_without_room_for_copies(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with target("memory") as program:
        lines = Path(f"/proc/{program.pid}/cgroup").read_text().splitlines()
        path = next(
            line.split(":", 2)[2]
            for line in lines
            if line.startswith("0::") or "memory" in line.split(":")[1].split(",")
        )
        version2 = f"0::{path}" in lines
        folder = tmp_path / path.lstrip("/")
        folder.mkdir(parents=True, exist_ok=True)
        names = ("memory.max", "memory.current")
        if not version2:
            names = ("memory.limit_in_bytes", "memory.usage_in_bytes")
        (folder / names[0]).write_text(f"{100 << 20}\n")
        (folder / names[1]).write_text(f"{90 << 20}\n")
        kind = "cgroup2 x rw" if version2 else "cgroup x rw,memory"
        view = mounted_at(tmp_path, kind=kind)
        monkeypatch.setattr("goprobe.process.proc.cgroupplaces._views", lambda pid: [view])
        assert "memory cgroup" in (why := why_not(program.pid)) and "only 10 MiB" in why


LIMITED = """
package main

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"syscall"
)

func main() {
	const processes = 6
	var old syscall.Rlimit
	if err := syscall.Getrlimit(processes, &old); err != nil {
		panic(err)
	}
	fmt.Println("ready")
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		limit := old
		if n, err := strconv.Atoi(lines.Text()); err == nil {
			limit.Cur = uint64(n)
		}
		if err := syscall.Setrlimit(processes, &limit); err != nil {
			panic(err)
		}
		fmt.Println("limited")
	}
}
"""


@contextmanager
def as_somebody(binary: Path) -> Iterator[Running]:
    """Limits do not bind root."""
    copy = Path("/tmp") / f"goprobe-test-{os.getpid()}"
    shutil.copy(binary, copy)
    copy.chmod(0o755)
    try:
        with running(copy, user=63333) as program:
            yield program
    finally:
        copy.unlink()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
@pytest.mark.parametrize("allowed", [0, 1], ids=["no helper", "no child"])
def test_a_kernel_that_refuses_to_fork_hurts_nobody(allowed: int) -> None:
    with as_somebody(build(LIMITED)) as program:
        plan = plan_fork(program.pid)
        for _ in range(100):
            count = len(threads_of(program.pid))
            program.say(str(count + allowed))
            assert program.read_line() == "limited"
            with stopped(program.pid) as stop:
                if len(stop.threads) != count:
                    continue
                with pytest.raises(NoForkError, match="limit on processes"), forked(stop, plan):
                    pass
                assert not stop.released
                assert stop.memory.read(stop.threads[program.pid].sp, 8)
            break
        else:
            raise AssertionError("it never had the same number of threads twice")
        assert_free(program.pid)
        assert children(program.pid) == []
        program.say("no more")
        assert program.read_line() == "limited"
        with stopped(program.pid) as stop, forked(stop, plan):
            pass


def test_how_an_interrupted_system_call_is_resumed() -> None:
    plain = Registers(*range(27))

    def interrupted(number: int, result: int) -> Registers:
        raw = bytearray(plain.to_bytes())
        at = list(Registers.__struct_fields__).index
        struct.pack_into("<Q", raw, 8 * at("orig_rax"), number)
        struct.pack_into("<q", raw, 8 * at("rax"), result)
        return Registers.from_bytes(raw)

    futex = interrupted(202, -512)
    assert can_be_resumed(futex)
    assert (resumed(futex).rip, resumed(futex).rax) == (plain.rip - 2, 202)
    assert not can_be_resumed(interrupted(230, -516))
    done = interrupted(0, 5)
    assert resumed(done) == done
    outside = interrupted(ctypes.c_int64(NO_SYSCALL).value % (1 << 64), -512)
    assert resumed(outside) == outside and can_be_resumed(outside)
