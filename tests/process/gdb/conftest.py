"""GDBs and a program that does what tests of the controller need."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import psutil
import pytest
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

from goprobe.process.gdb.controller import Gdb, StopEvent
from goprobe.process.guardian.guardian import known_guardian
from goprobe.toolchain.find import GdbTool
from tests.support.gdb import gdbs
from tests.support.go import build

PATIENCE = 60.0


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


def to_the_end(gdb: Gdb) -> StopEvent:
    event = gdb.resume(timeout=PATIENCE)
    assert event.over, event
    return event


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
