"""`--max-stop`: a promise that is kept or refused."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress

import pytest

from goprobe.api.process import attach
from goprobe.errors import StopTooLongError, TargetTimeoutError
from goprobe.process.ptrace import stoplimit
from goprobe.process.ptrace.stop import stopped
from goprobe.process.ptrace.stoplimit import HurriedMemory
from tests.process.targets import assert_free, assert_healthy, target
from tests.support.cli import goprobe
from tests.support.go import Running, build, running

CROWD = """
package main

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"syscall"
)

func main() {
	var ends [2]int
	syscall.Pipe(ends[:])
	held := make(chan bool)
	for i := 0; i < 600; i++ {
		go func() {
			runtime.LockOSThread()
			held <- true
			syscall.Read(ends[0], make([]byte, 1))
		}()
	}
	for i := 0; i < 600; i++ {
		<-held
	}
	fmt.Println("ready")
	bufio.NewScanner(os.Stdin).Scan()
}
"""
COMMANDS = (["where", "0xc000000000"], ["maps"], ["goroutines"], ["heap"], ["heap", "--types"])


@pytest.fixture(scope="module")
def crowd() -> Iterator[Running]:
    with running(build(CROWD)) as program:
        yield program


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_many_threads_are_refused_before_any_of_them_stands(
    crowd: Running, command: list[str]
) -> None:
    name, *more = command
    ran = goprobe(name, str(crowd.pid), *more, "--max-stop", "5ms")
    assert (ran.code, ran.out) == (3, b"")
    said = [line for line in ran.err.splitlines() if "--max-stop allows 5 ms" in line]
    assert said and f"process {crowd.pid} would stand still for about" in said[0]
    assert_free(crowd.pid)


@pytest.mark.races("how long a stop takes is the machine's to say, too, where others use it")
@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_promise_is_kept(crowd: Running, command: list[str]) -> None:
    name, *more = command
    ran = goprobe(name, str(crowd.pid), *more, "--max-stop", "900ms", "--json")
    assert ran.code in (0, 3), ran  # refused where the machine is too busy
    if ran.code == 0:
        assert 0 < ran.json["pause_us"] <= 900_000 or "longer than" in ran.err
    assert_free(crowd.pid)


def test_threads_that_do_not_all_stand_in_time_are_let_go_for_good(crowd: Running) -> None:
    """Not tried again and again for as long as it takes: each try costs them their time."""
    began = time.monotonic()
    with (
        pytest.raises(TargetTimeoutError, match=r"60[0-9] threads of .* machine is too busy"),
        stopped(crowd.pid, timeout=0.001),
    ):
        pass
    assert time.monotonic() - began < 2
    assert_free(crowd.pid)


def test_a_long_stop_is_told_before() -> None:
    with target("heart") as few:
        assert "threads" not in goprobe("maps", str(few.pid)).err
    with running(build(CROWD.replace("600", "1600"))) as larger:
        told = goprobe("maps", str(larger.pid)).err
        assert f"process {larger.pid} has 1,6" in told and "--max-stop 50ms refuses" in told
        assert goprobe("maps", str(larger.pid), "--max-stop", "50ms").code == 3
        assert_free(larger.pid)


def test_nonsense_is_refused(crowd: Running) -> None:
    ran = goprobe("maps", str(crowd.pid), "--max-stop", "soon")
    assert ran.code == 2 and "is no length of time" in ran.err


@pytest.mark.races("how long a stop takes is the machine's to say, too, where others use it")
def test_what_reads_for_too_long_is_cut_off() -> None:
    with target("heart") as program:
        with (
            pytest.raises(StopTooLongError, match="not all was read by then"),
            stopped(program.pid, limit=0.4) as process,
        ):
            sp = process.threads[program.pid].sp
            for _ in range(200):
                process.memory.read(sp, 8)
                time.sleep(0.01)
        assert process.released and process.pause_us < 1_200_000
        with pytest.raises(StopTooLongError):  # whoever has not heard of it
            process.memory.read(sp, 8)
        assert_free(program.pid)
        assert_healthy(program)


def test_who_takes_no_notice_is_told_in_the_end() -> None:
    with target("heart") as program:
        with pytest.raises(StopTooLongError), stopped(program.pid, limit=0.03) as process:
            time.sleep(0.05)
            with suppress(StopTooLongError):
                process.memory.read(process.threads[program.pid].sp, 8)
        assert_healthy(program)


def test_what_was_let_go_in_time_may_be_read_on() -> None:
    with target("heart") as program, stopped(program.pid, limit=0.5) as process:
        assert isinstance(process.memory, HurriedMemory)
        process.release()
        time.sleep(0.6)
        assert process.memory.read(process.threads[program.pid].sp, 8)


def test_large_copies_look_at_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """And have the same bytes as without a limit."""
    with target("memory") as program, stopped(program.pid, limit=30) as process:
        mapped = process.threads[program.pid].sp & -4096
        pairs = memoryview(bytearray(16 * 64)).cast("B").cast("Q")
        for i in range(64):
            pairs[2 * i], pairs[2 * i + 1] = mapped, 4096 - 8 * i
        ends = [0]
        for i in range(64):
            ends.append(ends[-1] + 4096 - 8 * i)
        whole, parts = bytearray(ends[-1]), bytearray(ends[-1])
        assert process.memory.read_packed(pairs, ends, whole)
        monkeypatch.setattr(stoplimit, "_CHUNK", 10_000)
        assert process.memory.read_packed(pairs, ends, parts)
        assert parts == whole and any(whole)


def test_from_python() -> None:
    with (
        target("memory") as program,
        attach(program.pid, max_stop=1e-6) as process,
        pytest.raises(StopTooLongError),
    ):
        process.maps()
