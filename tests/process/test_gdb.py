"""GDB as a controller: real GDBs, real Go programs, and everything that can end badly."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import termios
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import psutil
import pytest
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection
from msgspec.structs import replace

from goprobe.errors import (
    CannotWorkError,
    GdbDiedError,
    NoGdbError,
    NotPermittedError,
    TargetGoneError,
    TargetTimeoutError,
    UsageError,
)
from goprobe.process.gdb import mi
from goprobe.process.gdb.controller import VECTORS, Gdb, StopEvent
from goprobe.process.gdb.signals import send_again
from goprobe.process.guardian.guardian import known_guardian
from goprobe.toolchain.find import GdbTool
from tests.support.gdb import gdbs
from tests.support.go import build, running

PATIENCE = 60.0
# A goroutine that is preempted at a breakpoint comes back to it: it would be hit twice.
UNDISTURBED = {"GODEBUG": "asyncpreemptoff=1"}
SOURCE = r"""
package main

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"sync"
	"syscall"
	"time"
)

var watched [4]int64

//go:noinline
func hit(n int) int { return n + 1 }

//go:noinline
func touch(n int64) { watched[2] += n }

//go:noinline
func calls(n int) int { return hit(n) + hit(n+1) }

var busy [8]int

func preempted() {
	go func() {
		for {
			runtime.GC()
		}
	}()
	var all sync.WaitGroup
	for g := range busy {
		all.Add(1)
		go func(g int) {
			defer all.Done()
			for i := 0; i < 15; i++ {
				for j := 0; j < 20000; j++ {
					busy[g] += j
				}
				hit(g*15 + i)
			}
		}(g)
	}
	all.Wait()
}

func threads() {
	var all sync.WaitGroup
	start := make(chan bool)
	for i := 0; i < 4; i++ {
		all.Add(1)
		go func() {
			runtime.LockOSThread()
			<-start
			hit(1)
			all.Done()
			select {} // keeps the thread: each one is counted by its id
		}()
	}
	close(start)
	all.Wait()
}

func main() {
	switch os.Args[1] {
	case "args":
		fmt.Printf("%q", os.Args[2:])
	case "where":
		dir, _ := os.Getwd()
		fmt.Print(dir, " ", os.Getenv("FLAVOUR"), " ", len(os.Environ()))
	case "stdin":
		var word string
		fmt.Scanln(&word)
		fmt.Print("read ", word)
	case "print":
		for i := 0; i < 200000; i++ {
			fmt.Println("line", i)
		}
		fmt.Fprintln(os.Stderr, "done")
	case "raw":
		stty := exec.Command("stty", "raw", "-echo")
		stty.Stdin = os.Stdin
		fmt.Fprint(os.Stderr, stty.Run())
		hit(1)
	case "exit":
		os.Exit(7)
	case "panic":
		panic("boom")
	case "kill":
		syscall.Kill(os.Getpid(), syscall.SIGKILL)
	case "recover":
		defer func() { fmt.Print("recovered: ", recover() != nil) }()
		var nothing *int
		*nothing = 1
	case "signals":
		seen := make(chan os.Signal, 1)
		for _, number := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGUSR1} {
			signal.Notify(seen, number)
			syscall.Kill(os.Getpid(), number)
			fmt.Print(<-seen, " ")
		}
	case "preempted":
		preempted()
	case "threads":
		threads()
	case "exec":
		syscall.Exec("/bin/echo", []string{"echo", "replaced"}, nil)
	case "child":
		out, err := exec.Command("/bin/echo", "-n", "child").Output()
		fmt.Print(string(out), err)
		hit(1)
	case "watch":
		touch(5)
		touch(7)
	case "calls":
		calls(1)
	case "spin":
		fmt.Println("ready")
		for {
			hit(1)
		}
	case "sleep":
		fmt.Println("ready")
		time.Sleep(time.Hour)
	}
}
"""


def own_children() -> list[psutil.Process]:
    """All but the guardian, which lives as long as we do."""
    guards = known_guardian()
    return [c for c in psutil.Process().children() if guards is None or c.pid != guards.pid]


@pytest.fixture(params=gdbs(), ids=lambda tool: f"gdb-{tool.version}")
def tool(request: pytest.FixtureRequest) -> GdbTool:
    found: GdbTool = request.param
    return found


@pytest.fixture
def gdb(tool: GdbTool) -> Iterator[Gdb]:
    with Gdb(tool.command, environment=tool.environment) as controller:
        yield controller
    assert not own_children(), "something was left behind"


@pytest.fixture(scope="module")
def binary() -> Path:
    return build(SOURCE)


@pytest.fixture(scope="module")
def symbol(binary: Path) -> Callable[[str], int]:
    with binary.open("rb") as file:
        table = ELFFile(file).get_section_by_name(".symtab")
        assert isinstance(table, SymbolTableSection)
        found = {entry.name: int(entry["st_value"]) for entry in table.iter_symbols()}
    return found.__getitem__


@pytest.fixture
def out() -> Iterator[IO[bytes]]:
    with tempfile.TemporaryFile() as file:
        yield file


def text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode()


def gone(pid: int) -> bool:
    """Whether a process is dead; a zombie, which init has yet to take, is."""
    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


def wait_until(what: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not what():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)


def to_the_end(gdb: Gdb) -> StopEvent:
    event = gdb.resume(timeout=PATIENCE)
    assert event.over, event
    return event


def test_a_launched_program_stands_before_its_first_instruction(
    gdb: Gdb, tool: GdbTool, binary: Path, out: IO[bytes]
) -> None:
    pid = gdb.launch(binary, ["args"], stdout=out.fileno())
    with binary.open("rb") as file:
        entry = int(ELFFile(file).header["e_entry"])
    assert gdb.registers()["rip"] == entry
    assert gdb.threads() == [pid] == [gdb.pid]
    assert str(Path(f"/proc/{pid}/exe").readlink()).removesuffix(" (deleted)") == str(binary)
    assert psutil.Process(pid).ppid() == os.getpid()
    assert os.getpgid(pid) == os.getpgid(0), "it has to share our place at the terminal"
    assert gdb.version == tool.version
    assert text(out) == ""


def test_arguments_reach_the_program_untouched(gdb: Gdb, binary: Path, out: IO[bytes]) -> None:
    args = ["a b", "", "q\"'`", "$HOME", "*", "new\nline", "back\\slash", "ünï", "-x", ";|&"]
    gdb.launch(binary, ["args", *args], stdout=out.fileno())
    assert to_the_end(gdb).exit_code == 0
    quoted = r'"a b" "" "q\"' + r"'`" + r'" "$HOME" "*" "new\nline" "back\\slash" "ünï" "-x" ";|&"'
    assert text(out) == f"[{quoted}]"


def test_working_directory_and_environment(
    gdb: Gdb, binary: Path, out: IO[bytes], tmp_path: Path
) -> None:
    gdb.launch(
        binary, ["where"], stdout=out.fileno(), cwd=str(tmp_path), env={"FLAVOUR": "sour sweet"}
    )
    to_the_end(gdb)
    assert text(out) == f"{tmp_path} sour sweet 1"


def test_the_environment_of_gdb_is_not_the_programs(gdb: Gdb, binary: Path, out: IO[bytes]) -> None:
    gdb.launch(binary, ["where"], stdout=out.fileno())
    to_the_end(gdb)
    assert text(out) == f"{Path.cwd()}  {len(os.environ)}"


def test_a_program_reads_our_input(gdb: Gdb, binary: Path, out: IO[bytes]) -> None:
    read, write = os.pipe()
    with open(read, "rb") as reader, open(write, "wb") as writer:
        gdb.launch(binary, ["stdin"], stdin=reader.fileno(), stdout=out.fileno())
        with pytest.raises(TargetTimeoutError):
            gdb.resume(timeout=0.2)
        writer.write(b"word\n")
        writer.flush()
        assert gdb.wait(timeout=PATIENCE).over
    assert text(out) == "read word"


def test_standard_streams_may_change_places(gdb: Gdb, binary: Path, out: IO[bytes]) -> None:
    gdb.launch(binary, ["exit"], stdin=2, stdout=0, stderr=out.fileno())
    assert to_the_end(gdb).exit_code == 7


def test_a_program_that_prints_a_lot(gdb: Gdb, binary: Path, out: IO[bytes]) -> None:
    with tempfile.TemporaryFile() as errors:
        gdb.launch(binary, ["print"], stdout=out.fileno(), stderr=errors.fileno())
        to_the_end(gdb)
        assert text(errors) == "done\n"
    assert text(out).count("\n") == 200_000


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("exit", StopEvent("exited", exit_code=7, detail="exited")),
        ("panic", StopEvent("exited", exit_code=2, detail="exited")),
        ("kill", StopEvent("signalled", signal="SIGKILL", detail="exited-signalled")),
    ],
)
def test_how_a_program_ends(
    gdb: Gdb, binary: Path, out: IO[bytes], mode: str, expected: StopEvent
) -> None:
    gdb.launch(binary, [mode], stderr=out.fileno())
    assert to_the_end(gdb) == expected
    assert gdb.pid == 0
    gdb.launch(binary, ["exit"])  # and the next one can follow
    assert to_the_end(gdb).exit_code == 7


@pytest.mark.parametrize(
    ("mode", "printed"),
    [("signals", "interrupt terminated user defined signal 1 "), ("recover", "recovered: true")],
)
def test_signals_are_the_programs_own(
    gdb: Gdb, binary: Path, out: IO[bytes], mode: str, printed: str
) -> None:
    gdb.launch(binary, [mode], stdout=out.fileno())
    assert to_the_end(gdb).exit_code == 0
    assert text(out) == printed


def test_stops_at_breakpoints(gdb: Gdb, binary: Path, symbol: Callable[[str], int]) -> None:
    gdb.launch(binary, ["calls"], env=UNDISTURBED)
    first, second = gdb.insert_breakpoints([symbol("main.calls"), symbol("main.hit")])
    at: list[StopEvent] = []
    while len(at) < 3:
        event = gdb.resume(timeout=PATIENCE)
        # A function that checks its stack begins again after Go has made its goroutine wait.
        if not at or event.breakpoint == second or at[-1].breakpoint == second:
            at.append(event)
    assert [(event.kind, event.breakpoint, event.pc) for event in at] == [
        ("breakpoint", first, symbol("main.calls")),
        ("breakpoint", second, symbol("main.hit")),
        ("breakpoint", second, symbol("main.hit")),
    ]
    assert {event.thread for event in at} <= set(gdb.threads())
    assert gdb.registers()["rax"] == 2  # the argument of the second hit
    to_the_end(gdb)


def test_a_breakpoint_that_is_removed_or_temporary(
    gdb: Gdb, binary: Path, symbol: Callable[[str], int]
) -> None:
    gdb.launch(binary, ["calls"], env=UNDISTURBED)
    number = gdb.insert_breakpoint(symbol("main.calls"))
    gdb.insert_breakpoint(symbol("main.hit"), temporary=True)
    gdb.remove_breakpoint(number)
    assert gdb.resume(timeout=PATIENCE).pc == symbol("main.hit")
    to_the_end(gdb)


def test_many_breakpoints_at_once(gdb: Gdb, binary: Path, symbol: Callable[[str], int]) -> None:
    gdb.launch(binary, ["exit"], env=UNDISTURBED)
    numbers = gdb.insert_breakpoints([symbol("main.main")] * 500)
    assert len(set(numbers)) == 500
    assert gdb.resume(timeout=PATIENCE).breakpoint == numbers[0]


def test_no_breakpoint_where_nothing_is(
    gdb: Gdb, binary: Path, symbol: Callable[[str], int]
) -> None:
    gdb.launch(binary, ["calls"])
    with pytest.raises(UsageError, match="no breakpoint at 0x10: nothing is mapped"):
        gdb.insert_breakpoints([symbol("main.hit"), 0x10])
    to_the_end(gdb)  # the good one is gone with the bad one


def test_breakpoints_of_several_threads_at_once_are_all_told(
    gdb: Gdb, binary: Path, symbol: Callable[[str], int]
) -> None:
    gdb.launch(binary, ["threads"])
    gdb.insert_breakpoint(symbol("main.hit"))
    threads = set()
    while not (event := gdb.resume(timeout=PATIENCE)).over:
        assert gdb.registers(event.thread)["rip"] == symbol("main.hit") == event.pc
        threads.add(event.thread)
    assert len(threads) == 4


def test_no_hit_is_lost_to_gos_preemption(
    gdb: Gdb, binary: Path, symbol: Callable[[str], int]
) -> None:
    gdb.launch(binary, ["preempted"])
    gdb.insert_breakpoint(symbol("main.hit"))
    seen = set()
    while not (event := gdb.resume(timeout=PATIENCE)).over:
        assert event.kind == "breakpoint", event
        seen.add(gdb.registers(event.thread)["rax"])
    assert seen == set(range(8 * 15))


def test_no_hit_is_told_twice_where_one_breakpoint_follows_another(
    gdb: Gdb, binary: Path, symbol: Callable[[str], int]
) -> None:
    """A signal that waits at the first is held back over one instruction, which ends at the
    second: there it still waits."""
    first = symbol("main.hit")
    gdb.launch(binary, ["preempted"])
    gdb.insert_breakpoint(first)
    gdb.resume(timeout=PATIENCE)
    second = gdb.step_instruction(timeout=PATIENCE).pc
    gdb.insert_breakpoint(second)
    assert gdb.resume(timeout=PATIENCE).pc == first
    event = gdb.step_alone(2, timeout=PATIENCE)
    assert event is not None and (event.kind, event.pc) == ("breakpoint", second)
    seen: Counter[tuple[int, int]] = Counter()
    while not (event := gdb.resume(timeout=PATIENCE)).over:
        assert event.kind == "breakpoint", event
        seen[event.pc, gdb.registers(event.thread)["rax"]] += 1
        if event.pc == first:
            send_again(gdb.pid, event.thread, signal.SIGURG)
    assert set(seen.values()) == {1}
    assert {n for pc, n in seen if pc == second} >= {n + 1 for pc, n in seen if pc == first}


def test_a_thread_of_its_own_for_a_breakpoint(
    gdb: Gdb, binary: Path, symbol: Callable[[str], int]
) -> None:
    gdb.launch(binary, ["threads"])
    number = gdb.insert_breakpoint(symbol("main.hit"))
    chosen = gdb.resume(timeout=PATIENCE).thread
    gdb.remove_breakpoint(number)
    gdb.insert_breakpoint(symbol("main.hit"), thread=chosen)
    while not (event := gdb.resume(timeout=PATIENCE)).over:
        assert event.thread == chosen
    with pytest.raises(TargetGoneError, match="the program is gone"):
        gdb.insert_breakpoint(symbol("main.hit"), thread=chosen)


def test_watchpoints(gdb: Gdb, binary: Path, symbol: Callable[[str], int]) -> None:
    place = symbol("main.watched") + 16
    gdb.launch(binary, ["watch"])
    number = gdb.insert_watchpoint(place, 8)
    for value in (5, 12):
        event = gdb.resume(timeout=PATIENCE)
        assert (event.kind, event.breakpoint) == ("watchpoint", number)
        assert gdb.evaluate(f"*(long *) {place:#x}") == str(value)
    to_the_end(gdb)


def test_hardware_places_are_counted(gdb: Gdb, binary: Path, symbol: Callable[[str], int]) -> None:
    gdb.launch(binary, ["calls"], env=UNDISTURBED)
    first = gdb.insert_breakpoint(symbol("main.calls"), hardware=True)
    for index in range(3):
        gdb.insert_watchpoint(symbol("main.watched") + 8 * index, 8, "access")
    with pytest.raises(UsageError, match="4 places"):
        gdb.insert_breakpoint(symbol("main.hit"), hardware=True)
    with pytest.raises(UsageError, match="cannot watch 3 bytes"):
        gdb.insert_watchpoint(symbol("main.watched"), 3)
    assert gdb.resume(timeout=PATIENCE).breakpoint == first
    gdb.remove_breakpoint(first)
    gdb.insert_breakpoint(symbol("main.hit"), hardware=True)
    assert gdb.resume(timeout=PATIENCE).pc == symbol("main.hit")


def test_steps(gdb: Gdb, binary: Path, symbol: Callable[[str], int]) -> None:
    gdb.launch(binary, ["calls"], env=UNDISTURBED)
    gdb.insert_breakpoint(symbol("main.hit"), temporary=True)
    event = gdb.resume(timeout=PATIENCE)
    seen: list[int] = []
    while not seen or symbol("main.hit") <= seen[-1] < symbol("main.hit") + 64:
        event = gdb.step_instruction(timeout=PATIENCE)
        assert event.kind == "step" and event.pc == gdb.registers()["rip"]
        seen.append(event.pc)
    assert symbol("main.calls") < seen[-1]


def test_registers_agree_with_gdbs_own(
    gdb: Gdb, binary: Path, symbol: Callable[[str], int]
) -> None:
    gdb.launch(binary, ["calls"])
    gdb.insert_breakpoint(symbol("main.hit"))
    gdb.resume(timeout=PATIENCE)
    registers = gdb.registers()
    mask = (1 << 64) - 1
    for name in ("rip", "rsp", "rbp", "rax", "r14", "fs_base"):
        assert registers[name] == int(gdb.evaluate(f"(unsigned long) ${name}")) & mask
    [tid] = [t for t in gdb.threads() if gdb.registers(t)["rip"] == registers["rip"]]
    assert gdb.vector("xmm15", tid) == 0  # Go's ABI keeps it zero
    for name in VECTORS:
        words = [gdb.evaluate(f"${name}.v2_int64[{i}]") for i in range(2)]
        low, high = (int(word) & mask for word in words)
        assert gdb.vector(name, tid) == high << 64 | low


def test_a_program_that_replaces_itself(
    gdb: Gdb, binary: Path, out: IO[bytes], symbol: Callable[[str], int]
) -> None:
    pid = gdb.launch(binary, ["exec"], stdout=out.fileno())
    gdb.insert_breakpoint(symbol("main.hit"))
    event = gdb.resume(timeout=PATIENCE)
    assert (event.kind, event.thread) == ("exec", pid)
    assert Path(f"/proc/{pid}/exe").readlink().name != binary.name
    assert to_the_end(gdb).exit_code == 0
    assert text(out) == "replaced\n"


def test_a_program_that_starts_another(
    gdb: Gdb, binary: Path, out: IO[bytes], symbol: Callable[[str], int]
) -> None:
    gdb.launch(binary, ["child"], stdout=out.fileno())
    gdb.insert_breakpoint(symbol("main.hit"))
    assert gdb.resume(timeout=PATIENCE).pc == symbol("main.hit")
    assert text(out) == "child<nil>"
    to_the_end(gdb)


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


def test_addresses_are_random_only_on_request(gdb: Gdb, binary: Path) -> None:
    def stack(randomize: bool) -> int:
        gdb.launch(binary, ["exit"], randomize=randomize)
        found = gdb.registers()["rsp"]
        gdb.kill()
        return found

    assert stack(False) >> 24 == stack(False) >> 24 == 0x7FFFFF
    assert len({stack(True) for _ in range(4)}) > 1


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


CONTROLLER = """
import os, sys
from goprobe.process.gdb.controller import Gdb
from goprobe.toolchain.find import gdb_at
from msgspec.structs import replace
from pathlib import Path
tool = gdb_at(Path(sys.argv[1]), "test")
with Gdb(tool.command, environment=tool.environment) as gdb:
    pid = gdb.launch(sys.argv[2], [sys.argv[3]], stdout=2)
    gdb._mi.command("-list-features")
    print(pid, gdb._mi._process.pid, flush=True)
    if sys.argv[4] == "run":
        gdb.resume(timeout=600)
    while True:
        import time; time.sleep(1)
"""


@pytest.fixture(params=["run", "stand"])
def controller(
    request: pytest.FixtureRequest, tool: GdbTool, binary: Path
) -> Iterator[tuple[subprocess.Popen[bytes], int, int]]:
    """A process that controls a GDB and a program, as goprobe does, and the two pids."""
    command = (sys.executable, "-c", CONTROLLER, str(tool.path), str(binary), "spin", request.param)
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        cwd=Path(__file__).parents[2],
    ) as process:
        assert process.stdout and process.stderr
        pid, gdb = map(int, process.stdout.readline().split())
        if request.param == "run":
            assert process.stderr.readline() == b"ready\n"
        yield process, pid, gdb
        process.kill()
    assert gone(pid) and gone(gdb)


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


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        ({}, StopEvent("other")),
        ({"reason": "exited", "exit-code": "0177"}, StopEvent("exited", exit_code=127)),
        ({"reason": "exited", "exit-code": "99"}, StopEvent("exited")),
        ({"reason": ["what"], "frame": "none", "bkptno": {}}, StopEvent("other")),
        ({"reason": "breakpoint-hit", "frame": {"addr": "0x10"}}, StopEvent("breakpoint", pc=16)),
        (
            {"reason": "read-watchpoint-trigger", "hw-rwpt": {"number": "3"}},
            StopEvent("watchpoint", breakpoint=3),
        ),
    ],
)
def test_stop_records(record: dict[str, object], expected: StopEvent) -> None:
    detail = record.get("reason") if isinstance(record.get("reason"), str) else ""
    assert replace(mi.parse_stop(record, 0), detail="") == expected
    assert mi.parse_stop(record, 0).detail == detail


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
