"""Who a process is, and one clear sentence for each that cannot be read."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from goprobe.errors import (
    CannotWorkError,
    GoprobeError,
    NotPermittedError,
    TargetGoneError,
    UsageError,
)
from goprobe.process import spawn
from goprobe.process.proc import identity as module
from goprobe.process.proc.identity import identify, incarnation
from tests.process.targets import PROGRAMS, status, target
from tests.support.go import build, running

NOBODY = 65534
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


def sentence(error: GoprobeError) -> str:
    assert "\n" not in error.message and error.message
    return error.message


@contextmanager
def being(uid: int) -> Iterator[None]:
    os.seteuid(uid)
    try:
        yield
    finally:
        os.seteuid(0)


def test_a_go_process_is_who_it_is() -> None:
    with target("memory") as program:
        who = identify(program.pid)
        facts = status(program.pid)
        assert (who.pid, who.name, who.uid) == (program.pid, "memory", os.getuid())
        assert abs(who.threads - int(facts["Threads"])) <= 1 and who.threads > 1
        assert who.executable == str(program.process.args[0])  # type: ignore[index]
        assert Path(who.open_path).read_bytes() == Path(who.executable).read_bytes()
        assert who.incarnation == identify(program.pid).incarnation


def test_a_deleted_or_replaced_executable_is_read_all_the_same(tmp_path: Path) -> None:
    binary = tmp_path / "copy"
    shutil.copy(build(PROGRAMS / "memory.go"), binary)
    contents = binary.read_bytes()
    with running(binary) as program:
        binary.unlink()
        binary.write_text("something else")
        who = identify(program.pid)
        assert who.executable == f"{binary} (deleted)"
        assert Path(who.open_path).read_bytes() == contents


def test_another_program_by_execve_is_another_incarnation() -> None:
    with target("again", "1") as program:
        before = incarnation(program.pid)
        program.read_until("done")
        assert incarnation(program.pid) != before


@as_root
def test_a_process_in_namespaces_of_its_own(tmp_path: Path) -> None:
    if not shutil.which("unshare"):
        pytest.skip("no unshare here")
    binary = tmp_path / "inside"
    shutil.copy(build(PROGRAMS / "memory.go"), binary)
    # Inside, /hidden/inside is the program; outside there is no such path.
    script = f"mount -t tmpfs none /mnt && cp {binary} /mnt/inside && exec /mnt/inside"
    outer = subprocess.Popen(
        ["unshare", "--mount", "--pid", "--fork", "sh", "-c", script],
        stdout=subprocess.PIPE,
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        assert outer.stdout and outer.stdin and outer.stderr
        if not outer.stdout.readline():
            pytest.skip(f"no namespaces here: {outer.stderr.read()!r}")
        pid = int(Path(f"/proc/{outer.pid}/task/{outer.pid}/children").read_text().split()[0])
        who = identify(pid)
        assert who.executable == "/mnt/inside" and not Path("/mnt/inside").exists()
        assert Path(who.open_path).read_bytes() == binary.read_bytes()
        assert Path(who.root + who.executable).exists()
    finally:
        for stream in (outer.stdin, outer.stdout, outer.stderr):
            assert stream
            stream.close()
        outer.wait(20)


@pytest.mark.parametrize("pid", [0, -1, 1 << 31, 1 << 80, 4194303])
def test_no_such_process(pid: int) -> None:
    with pytest.raises(UsageError) as caught:
        identify(pid)
    assert sentence(caught.value) == f"there is no process {pid}"
    assert caught.value.exit_code == 2


def test_a_thread_is_no_process() -> None:
    with target("memory") as program:
        tid = max(int(path.name) for path in Path(f"/proc/{program.pid}/task").iterdir())
        with pytest.raises(UsageError) as caught:
            identify(tid)
        assert sentence(caught.value) == f"{tid} is a thread of process {program.pid}"


def test_a_zombie_has_ended() -> None:
    ended = subprocess.Popen(["true"])
    os.waitid(os.P_PID, ended.pid, os.WEXITED | os.WNOWAIT)
    with pytest.raises(TargetGoneError) as caught:
        identify(ended.pid)
    assert "zombie" in sentence(caught.value) and str(os.getpid()) in caught.value.message
    ended.wait()


def test_without_its_first_thread_a_process_has_not_ended() -> None:
    source = """package main

import (
	"fmt"
	"runtime"
	"syscall"
	"time"
)

func main() {
	runtime.LockOSThread()
	go func() { time.Sleep(time.Minute) }()
	time.Sleep(50 * time.Millisecond)
	fmt.Println("ready")
	syscall.RawSyscall(syscall.SYS_EXIT, 0, 0, 0)
}
"""
    with running(build(source), ready="ready") as program:
        until = time.monotonic() + 30
        while "zombie" not in Path(f"/proc/{program.pid}/status").read_text():
            assert time.monotonic() < until
            time.sleep(0.01)
        with pytest.raises(
            CannotWorkError, match=r"first thread of process \d+ has ended"
        ) as caught:
            identify(program.pid)
        assert "run on" in caught.value.message


def test_a_kernel_thread_is_no_program() -> None:
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if module._is_kernel_thread(int(path.name)):
                break
        except GoprobeError:
            continue
    else:
        pytest.skip("no kernel threads to be seen here")
    with pytest.raises(UsageError, match="is a kernel thread"):
        identify(int(path.name))


def test_not_goprobe_itself() -> None:
    with pytest.raises(UsageError, match="goprobe itself"):
        identify(os.getpid())


@as_root
def test_another_users_process() -> None:
    with target("memory") as program, being(NOBODY), pytest.raises(NotPermittedError) as caught:
        identify(program.pid)
    assert "belongs to root" in sentence(caught.value)
    assert "sudo" in caught.value.hint and caught.value.exit_code == 3


@as_root
@pytest.mark.parametrize(
    ("scope", "said", "mend"),
    [
        ("0", "it is protected", "sudo"),
        ("1", "Yama lets only root attach", "sysctl kernel.yama.ptrace_scope=0"),
        ("2", "Yama lets only root attach", "sudo"),
        ("3", "Yama forbids every attach", "until the next boot"),
    ],
)
def test_yama_is_named(scope: str, said: str, mend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "yama_scope", lambda: int(scope))
    child = subprocess.Popen(["sleep", "60"], user=NOBODY)
    try:
        with being(NOBODY):
            why = module._why_forbidden(child.pid)
    finally:
        child.kill()
        child.wait()
    assert said in why.message and mend in why.hint and "\n" not in why.message


@pytest.mark.parametrize(
    ("scope", "capable", "mend"),
    [
        (0, False, "--cap-add=SYS_PTRACE"),
        (1, False, "--cap-add=SYS_PTRACE"),  # forbids no parent anything
        (2, False, "ptrace_scope is 2): run goprobe with sudo"),
        (2, True, "--cap-add=SYS_PTRACE"),
        (3, True, "until the next boot"),
    ],
)
def test_what_lets_a_program_be_traced_from_its_start(
    scope: int, capable: bool, mend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the kernel refuses it: seen with Linux 6.1 and each of Yama's scopes."""
    monkeypatch.setattr(spawn, "yama_scope", lambda: scope)
    monkeypatch.setattr(spawn, "holds", lambda capability: capable)
    refused = spawn._failure("x", spawn._REPORT.pack(spawn._TRACE, errno.EPERM))
    assert refused.exit_code == 3 and mend in str(refused.hint)


def test_a_traced_process_names_its_tracer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_TRACER_PATIENCE", 0.05)
    with target("memory") as program:
        code = (
            "import sys, time; from goprobe.process.ptrace.stop import stopped\n"
            f"with stopped({program.pid}): print('holds', flush=True); time.sleep(60)"
        )
        tracer = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
        try:
            assert tracer.stdout and tracer.stdout.readline() == b"holds\n"
            with pytest.raises(NotPermittedError) as caught:
                identify(program.pid)
            assert f"(pid {tracer.pid})" in sentence(caught.value)
        finally:
            tracer.kill()
            tracer.wait()
            assert tracer.stdout
            tracer.stdout.close()
        identify(program.pid)


def test_a_tracer_that_lets_go_soon_is_waited_for() -> None:
    from goprobe.process.ptrace.stop import stopped

    with target("memory") as program:
        holds, done = threading.Event(), threading.Event()

        def hold() -> None:
            with stopped(program.pid):
                holds.set()
                time.sleep(0.2)
            done.set()

        thread = threading.Thread(target=hold)
        thread.start()
        holds.wait(10)
        identify(program.pid)
        assert done.wait(10)
        thread.join()
