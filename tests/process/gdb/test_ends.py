"""Programs and GDBs that end, are let go of, or were never there."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import termios
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO

import psutil
import pytest

from goprobe.errors import (
    CannotWorkError,
    GdbDiedError,
    NoGdbError,
    NotPermittedError,
    TargetGoneError,
    TargetTimeoutError,
    UsageError,
)
from goprobe.process.gdb.controller import Gdb, StopEvent
from goprobe.toolchain.find import GdbTool
from tests.process.gdb.conftest import PATIENCE, gone, own_children, text, to_the_end
from tests.support.go import running


def wait_until(what: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not what():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)


def test_a_program_that_does_not_stop(gdb: Gdb, binary: Path, out: IO[bytes]) -> None:
    pid = gdb.launch(binary, ["spin"], stdout=out.fileno())
    with pytest.raises(TargetTimeoutError, match=r"did not stop within 0\.2 s"):
        gdb.resume(timeout=0.2)
    gdb.interrupt()
    event = gdb.wait(timeout=PATIENCE)
    assert (event.kind, event.signal) == ("signal", "SIGTRAP")
    assert gdb.registers()["rip"] == event.pc
    with pytest.raises(TargetTimeoutError):
        gdb.resume(timeout=0.1)
    gdb.kill()
    assert gdb.pid == 0 and gone(pid)


def test_interrupt_from_another_thread(gdb: Gdb, binary: Path, out: IO[bytes]) -> None:
    gdb.launch(binary, ["sleep"], stdout=out.fileno())
    timer = threading.Timer(0.2, gdb.interrupt)
    timer.start()
    assert gdb.resume(timeout=PATIENCE).kind == "signal"
    timer.join()


def test_kill_at_a_stop(gdb: Gdb, binary: Path) -> None:
    pid = gdb.launch(binary, ["exit"])
    gdb.kill()
    assert gone(pid)
    gdb.launch(binary, ["exit"])
    assert to_the_end(gdb).exit_code == 7


def test_a_program_killed_by_somebody_else_at_a_stop(
    gdb: Gdb, binary: Path, symbol: Callable[[str], int]
) -> None:
    pid = gdb.launch(binary, ["calls"])
    gdb.insert_breakpoint(symbol("main.hit"))
    gdb.resume(timeout=PATIENCE)
    os.kill(pid, signal.SIGKILL)
    assert to_the_end(gdb).signal == "SIGKILL"


@pytest.mark.parametrize("while_running", [False, True])
def test_gdb_dies_in_the_middle(
    gdb: Gdb, tool: GdbTool, binary: Path, out: IO[bytes], while_running: bool
) -> None:
    pid = gdb.launch(binary, ["spin"], stdout=out.fileno())
    [child] = [each.pid for each in own_children() if each.pid != pid]
    killer = threading.Timer(0.2 * while_running, os.kill, (child, signal.SIGKILL))
    killer.start()
    if not while_running:
        killer.join()
    with pytest.raises(GdbDiedError, match="GDB was killed by signal 9"):
        gdb.resume(timeout=PATIENCE)
    killer.join()
    wait_until(lambda: gone(pid))
    with pytest.raises((GdbDiedError, TargetGoneError)):
        gdb.registers()


@pytest.mark.parametrize("command", [("/bin/false",), ("/bin/true",), ("/bin/echo",)])
def test_a_gdb_that_is_none(command: tuple[str, ...], binary: Path) -> None:
    with pytest.raises(NoGdbError, match="does not work as a GDB: it ended"), Gdb(command) as gdb:
        gdb.launch(binary)
    assert not own_children()


def test_no_gdb_at_all() -> None:
    with pytest.raises(CannotWorkError, match="cannot run GDB"):
        Gdb(["/nonexistent/gdb"])


def test_programs_that_cannot_be_started(gdb: Gdb, binary: Path, tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.write_bytes(binary.read_bytes())
    for target, why in (
        (tmp_path / "none", "No such file or directory"),
        (plain, "Permission denied"),
        (tmp_path, "Permission denied"),
    ):
        with pytest.raises(UsageError, match=why):
            gdb.launch(target)
    plain.write_text("neither ELF nor script")
    plain.chmod(0o755)
    with pytest.raises(UsageError, match="not a program"):
        gdb.launch(plain)
    with pytest.raises(UsageError, match="working directory"):
        gdb.launch(binary, cwd=str(tmp_path / "none"))
    with pytest.raises(UsageError, match="NUL"):
        gdb.launch(binary, ["a\0b"])
    gdb.launch(binary, ["exit"])
    with pytest.raises(UsageError, match="already holds"):
        gdb.launch(binary, ["exit"])


def test_attach_and_let_go(
    tool: GdbTool, gdb: Gdb, binary: Path, symbol: Callable[[str], int]
) -> None:
    with running(binary, "spin") as program:
        gdb.attach(program.pid)
        gdb.insert_breakpoint(symbol("main.hit"))
        assert gdb.resume(timeout=PATIENCE).pc == symbol("main.hit")
        with (
            Gdb(tool.command, environment=tool.environment) as second,
            pytest.raises(NotPermittedError, match="already traced by process"),
        ):
            second.attach(program.pid)
        gdb.detach()
        before = psutil.Process(program.pid).cpu_times().user
        wait_until(lambda: psutil.Process(program.pid).cpu_times().user > before)
        gdb.attach(program.pid)
        with pytest.raises(TargetTimeoutError):
            gdb.resume(timeout=0.1)
        gdb.close()  # it runs, and has to be let go of all the same
        before = psutil.Process(program.pid).cpu_times().user
        wait_until(lambda: psutil.Process(program.pid).cpu_times().user > before)
        assert program.process.poll() is None
        assert b"TracerPid:\t0\n" in Path(f"/proc/{program.pid}/status").read_bytes()


def test_attach_to_nothing(gdb: Gdb) -> None:
    with subprocess.Popen(["/bin/true"]) as process:
        process.wait()
    with pytest.raises(TargetGoneError, match="is gone"):
        gdb.attach(process.pid)


def test_nothing_leaks(tool: GdbTool, binary: Path) -> None:
    def open_files() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    before = open_files()
    for _ in range(3):
        with contextlib.suppress(ZeroDivisionError), Gdb(tool.command) as gdb:
            gdb.launch(binary, ["spin"])
            raise ZeroDivisionError
        with pytest.raises(UsageError), Gdb(tool.command) as gdb:
            gdb.launch("/nonexistent")
    assert open_files() == before
    assert not own_children()


@pytest.mark.races("a debugger is killed at a moment of the scheduler's choice")
def test_goprobe_is_killed(controller: tuple[subprocess.Popen[bytes], int, int]) -> None:
    process, pid, gdb = controller
    process.kill()
    wait_until(lambda: gone(pid) and gone(gdb))


def test_ctrl_c_at_the_terminal(controller: tuple[subprocess.Popen[bytes], int, int]) -> None:
    process, pid, gdb = controller
    os.killpg(process.pid, signal.SIGINT)  # what the terminal does: the program gets it too
    os.killpg(process.pid, signal.SIGINT)  # and an impatient second one
    process.wait(PATIENCE)
    assert gone(pid) and gone(gdb)


def test_let_go_for_the_rest(
    gdb: Gdb, binary: Path, out: IO[bytes], symbol: Callable[[str], int]
) -> None:
    gdb.launch(binary, ["threads"])
    gdb.insert_breakpoint(symbol("main.hit"))
    gdb.resume(timeout=PATIENCE)
    assert gdb.finish(timeout=PATIENCE) == StopEvent("exited", detail="exited")
    assert gdb.pid == 0
    pid = gdb.launch(binary, ["sleep"], stdout=out.fileno())
    with pytest.raises(TargetTimeoutError, match="did not end"):
        gdb.finish(timeout=0.1)
    gdb.close()
    assert gone(pid)


def test_a_bug_of_gdbs_own_ends_it_without_a_core_file(
    tool: GdbTool, binary: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # where GDB would leave it
    with Gdb(tool.command, environment=tool.environment) as gdb:
        own_bug(gdb, binary)
    assert not list(tmp_path.iterdir())


def own_bug(gdb: Gdb, binary: Path) -> None:
    pid = gdb.launch(binary, ["exit"])
    with pytest.raises(GdbDiedError, match="internal-error: oops"):
        gdb.console("maint internal-error oops")
    wait_until(lambda: gone(pid))


@pytest.mark.parametrize("how", ["close", "kill", "gdb dies"])
def test_a_killed_program_leaves_the_terminal_sane(
    gdb: Gdb, binary: Path, out: IO[bytes], symbol: Callable[[str], int], how: str
) -> None:
    leader, terminal = os.openpty()
    before = termios.tcgetattr(terminal)
    pid = gdb.launch(binary, ["raw"], stdin=terminal, stderr=out.fileno())
    gdb.insert_breakpoint(symbol("main.hit"))
    assert gdb.resume(timeout=PATIENCE).kind == "breakpoint"
    assert text(out) == "<nil>", "stty did not work"
    assert termios.tcgetattr(terminal) != before
    if how == "kill":
        gdb.kill()
    else:
        if how == "gdb dies":
            [child] = [each.pid for each in own_children() if each.pid != pid]
            os.kill(child, signal.SIGKILL)
            with pytest.raises(GdbDiedError):
                gdb.resume(timeout=PATIENCE)
        gdb.close()
    assert termios.tcgetattr(terminal) == before
    os.close(leader)
    os.close(terminal)
