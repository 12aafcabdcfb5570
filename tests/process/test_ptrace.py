"""A process that is held still: what is seen of it, and that nothing is left behind."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from goprobe.arch.registers import REGISTERS_SIZE, Registers
from goprobe.errors import NotPermittedError, TargetGoneError, TargetTimeoutError
from goprobe.process.guardian.guardian import guardian
from goprobe.process.proc.identity import identify
from goprobe.process.proc.maps import find, read_maps
from goprobe.process.ptrace import threadstop
from goprobe.process.ptrace.stop import StoppedProcess, stopped
from tests.process.targets import (
    ask,
    assert_free,
    assert_healthy,
    status,
    target,
    threads_of,
    tries,
)
from tests.support.go import has_gcc
from tests.support.waiting import until


def test_registers_survive_their_bytes() -> None:
    raw = bytes(range(REGISTERS_SIZE))
    registers = Registers.from_bytes(raw)
    assert registers.to_bytes() == raw
    assert registers.r15 == 0x0706050403020100 and registers.gs == int.from_bytes(
        raw[-8:], "little"
    )
    assert (registers.pc, registers.sp) == (registers.rip, registers.rsp)


def test_every_thread_stands_and_its_registers_are_its_own() -> None:
    with target("heart") as program:
        with stopped(program.pid) as process:
            assert set(process.threads) == set(threads_of(program.pid))
            maps = read_maps(program.pid)
            for tid, registers in process.threads.items():
                assert status(program.pid, tid)["State"][0] == "t"
                code, stack = find(maps, registers.pc), find(maps, registers.sp)
                assert code and "x" in code.perms
                assert stack and "w" in stack.perms
                # The kernel's own word: number, six arguments, stack pointer, pc.
                words = Path(f"/proc/{program.pid}/task/{tid}/syscall").read_text().split()
                assert [int(word, 16) for word in words[-2:]] == [registers.sp, registers.pc]
                if registers.syscall is None:
                    assert words[0] == "-1"
                else:
                    assert int(words[0]) == registers.syscall
        assert_free(program.pid)
        assert_healthy(program)


def test_memory_stands_still_meanwhile() -> None:
    with target("heart") as program:
        with stopped(program.pid) as process:
            writable = [
                m for m in read_maps(program.pid) if "w" in m.perms and not m.path.startswith("[v")
            ]
            ranges = [(m.low, min(m.size, 1 << 22)) for m in writable]
            before = process.memory.read_many(ranges)
            time.sleep(0.05)
            assert process.memory.read_many(ranges) == before
        until(lambda: process.memory.read_many(ranges) != before, "the heart beats on")
        assert_healthy(program)


def is_released(process: StoppedProcess) -> bool:
    return process.released


def test_the_pause_is_known_and_ends_with_release() -> None:
    with target("heart") as program:
        with stopped(program.pid) as process:
            assert not is_released(process)
            first = process.pause_us
            time.sleep(0.02)
            assert process.pause_us >= first + 20_000
            process.release()
            assert is_released(process)
            assert_free(program.pid)
            pause = process.pause_us
            process.release()
            assert_healthy(program)
            assert process.threads
        assert process.pause_us == pause > 20_000


def test_the_collector_rests_while_the_process_stands() -> None:
    with target("memory") as program:
        with stopped(program.pid) as process:
            assert not gc.isenabled()
            process.release()
            assert gc.isenabled()
        assert gc.isenabled()


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, SystemExit])
def test_released_on_any_exception(error: type[BaseException]) -> None:
    with target("heart") as program:
        with pytest.raises(error), stopped(program.pid):
            raise error
        assert_free(program.pid)
        assert_healthy(program)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL, signal.SIGHUP])
def test_released_when_a_signal_ends_us(number: signal.Signals) -> None:
    with target("heart") as program:
        code = (
            "import time; from goprobe.process.ptrace.stop import stopped\n"
            f"with stopped({program.pid}): print('holds', flush=True); time.sleep(60)"
        )
        tracer = subprocess.Popen(
            [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        assert tracer.stdout and tracer.stdout.readline() == b"holds\n"
        tracer.send_signal(number)
        tracer.wait()
        tracer.stdout.close()
        assert_free(program.pid)
        assert_healthy(program)


def test_a_process_that_was_stopped_stays_stopped() -> None:
    with target("heart") as program:
        os.kill(program.pid, signal.SIGSTOP)
        os.waitid(os.P_PID, program.pid, os.WSTOPPED)
        for _ in range(20):
            with stopped(program.pid) as process:
                assert set(process.threads) == set(threads_of(program.pid))
            states = {status(program.pid, tid)["State"][0] for tid in threads_of(program.pid)}
            for _ in range(100):
                if states == {"T"}:
                    break
                time.sleep(0.01)
                states = {status(program.pid, t)["State"][0] for t in threads_of(program.pid)}
            assert states == {"T"}
        os.kill(program.pid, signal.SIGCONT)
        assert_healthy(program)


def test_a_stop_signal_while_it_stands_takes_effect_afterwards() -> None:
    with target("heart") as program:
        with stopped(program.pid):
            os.kill(program.pid, signal.SIGSTOP)
        os.waitid(os.P_PID, program.pid, os.WSTOPPED)
        os.kill(program.pid, signal.SIGCONT)
        assert_healthy(program)


def open_files(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def test_nothing_leaks_in_either_process() -> None:
    with target("heart") as program:
        with stopped(program.pid) as process:
            process.memory.read(process.threads[program.pid].sp, 8)
        before = open_files(os.getpid()), threading.active_count(), open_files(program.pid)
        for _ in range(tries(100, 1000)):
            with stopped(program.pid) as process:
                process.memory.read(process.threads[program.pid].sp, 8)
        after = open_files(os.getpid()), threading.active_count(), open_files(program.pid)
        assert after == before
        assert threadstop._left_behind == []
        assert_healthy(program)


def test_no_signal_is_swallowed() -> None:
    with target("heart") as program:
        before = ask(program, "check")[2]
        for _ in range(tries(200, 2000)):
            with stopped(program.pid):
                pass
        assert ask(program, "check")[2] > before
        assert_healthy(program)


def test_a_signal_handed_back_is_the_one_that_was_sent() -> None:
    """Stops hit threads just as they are given a signal, and each of those is handed back."""
    with target("heart") as program:
        handed = 0
        for _ in range(2000):
            with stopped(program.pid) as process:
                handed += sum(s == signal.SIGUSR1 for s in process._stop._halted.values())
            if handed > 2:
                break
        assert handed, "chance never struck"
        assert_healthy(program)


def test_killed_while_it_stands() -> None:
    with target("heart") as program:
        with stopped(program.pid) as process:
            os.kill(program.pid, signal.SIGKILL)
            process.release()
        assert program.process.wait(10) == -signal.SIGKILL


def test_the_exit_code_stays_for_who_started_it() -> None:
    for microseconds in range(0, tries(1000, 10_000), 50):
        with target("brief", str(microseconds)) as program:
            try:
                for _ in range(1000):
                    with stopped(program.pid):
                        pass
            except TargetGoneError:
                pass
            assert program.process.wait(10) == 7


def test_one_tracer_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threadstop, "_TRACER_PATIENCE", 0.05)
    with target("heart") as program:
        holds, over = threading.Event(), threading.Event()

        def hold() -> None:
            with stopped(program.pid):
                holds.set()
                over.wait(10)

        other = threading.Thread(target=hold)
        other.start()
        holds.wait(10)
        try:
            with pytest.raises(NotPermittedError, match="traced already"), stopped(program.pid):
                pass
        finally:
            over.set()
            other.join()
        with stopped(program.pid):
            pass
        assert_healthy(program)


def test_a_program_that_has_become_another_one_is_gone() -> None:
    guardian()  # is not to be started in the few milliseconds before it does
    with target("again", "1") as program:
        who = identify(program.pid)
        with stopped(program.pid, identity=who):
            pass
        program.read_until("done")
        with (
            pytest.raises(TargetGoneError, match="another program"),
            stopped(program.pid, identity=who),
        ):
            pass
        assert_free(program.pid)


def test_a_process_that_has_ended_is_gone() -> None:
    ended = subprocess.Popen(["true"])
    os.waitid(os.P_PID, ended.pid, os.WEXITED | os.WNOWAIT)
    for _ in range(2):
        with pytest.raises(TargetGoneError), stopped(ended.pid):
            pass
        ended.wait()


VFORK = """
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>
static void *beat(void *_) {
	for (int i = 0;; i++) usleep(1000);
	return _;
}
int main(void) {
	pthread_t thread;
	pthread_create(&thread, 0, beat, 0);
	for (;;) {
		puts("ready");
		fflush(stdout);
		getchar();
		if (!vfork()) {
			sleep(1);
			_exit(0);
		}
	}
}
"""


@pytest.mark.skipif(not has_gcc(), reason="needs gcc")
def test_a_thread_that_cannot_be_stopped_costs_the_others_nothing(tmp_path: Path) -> None:
    (tmp_path / "vfork.c").write_text(VFORK)
    binary = tmp_path / "vfork"
    subprocess.run(["gcc", "-w", "-pthread", "-o", binary, tmp_path / "vfork.c"], check=True)
    with subprocess.Popen(binary, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdin and process.stdout
            assert process.stdout.readline() == b"ready\n"
            process.stdin.write(b"\n")
            process.stdin.flush()
            while status(process.pid)["State"][0] != "D":
                time.sleep(0.001)
            with (
                pytest.raises(TargetTimeoutError, match="does not stop") as caught,
                stopped(process.pid, timeout=0.2),
            ):
                pass
            assert caught.value.hint
            assert_free(process.pid)
            with stopped(process.pid):  # once it is back
                pass
            assert process.stdout.readline() == b"ready\n"
        finally:
            process.kill()
