"""Programs under GDB run as they would without it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import IO

import psutil
import pytest
from elftools.elf.elffile import ELFFile

from goprobe.errors import (
    TargetTimeoutError,
)
from goprobe.process.gdb.controller import Gdb, StopEvent
from goprobe.toolchain.find import GdbTool
from tests.process.gdb.conftest import PATIENCE, text, to_the_end


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


def test_addresses_are_random_only_on_request(gdb: Gdb, binary: Path) -> None:
    def stack(randomize: bool) -> int:
        gdb.launch(binary, ["exit"], randomize=randomize)
        found = gdb.registers()["rsp"]
        gdb.kill()
        return found

    assert stack(False) >> 24 == stack(False) >> 24 == 0x7FFFFF
    assert len({stack(True) for _ in range(4)}) > 1
