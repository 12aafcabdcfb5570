"""Stripped programs: shipped layouts against debug information, roots searched against symbols."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from goprobe.analysis.goroutines.goroutines import goroutines
from goprobe.analysis.heap.census import heap_census
from goprobe.analysis.locate.maps import maps
from goprobe.analysis.locate.where import where
from goprobe.binary.dwarf.info import DebugInfo
from goprobe.binary.elf.buildinfo import GoVersion
from goprobe.binary.elf.elf import ElfFile
from goprobe.errors import CannotWorkError
from goprobe.process.memory.memory import ProcessMemory
from goprobe.runtime.image.program import GoProgram
from goprobe.runtime.layout.layout import Facts, layout_from_debug, roots_from_debug
from goprobe.runtime.layout.shipped import (
    releases as shipped_releases,
    shipped_layout,
    shipped_layouts,
)
from goprobe.runtime.stripped import Finder
from goprobe.target.live import open_target, stopped_target
from tests.support.cli import goprobe
from tests.support.go import Running, build, matrix, releases, running

TESTDATA = Path(__file__).parents[2] / "testdata"
HEAP = TESTDATA / "heap" / "standing.go"
DECOY = TESTDATA / "goroutines" / "decoy"
REQUIRED = {"firstmoduledata", "mheap_", "allgs", "allm"}
STRIP = shutil.which("strip")


def strip(binary: Path, into: Path) -> Path:
    """The same binary, laid out the same, without symbols and debug information."""
    assert STRIP
    subprocess.run([STRIP, "-o", into, binary], check=True, capture_output=True)
    return into


# Every toolchain even without GOPROBE_MATRIX: this runs no program, and a layout that is not made
# anew after runtime/layout/fields.py has changed must not stay unseen.
@pytest.mark.parametrize("go", releases())
def test_layouts_shipped_are_those_of_debug_information(go: str) -> None:
    program = GoProgram(ElfFile(build(TESTDATA / "targets" / "labels.go", go=go)))
    made = layout_from_debug(DebugInfo(program.elf), f"go{go}")
    assert go in shipped_releases()
    shipped = shipped_layout(program.go)
    assert shipped.structs == made.structs
    assert shipped.constants == made.constants
    assert shipped == made


@dataclass(frozen=True, slots=True)
class Twins:
    go: str
    symbols: Path
    stripped: Path
    program: Running
    """Runs the stripped one."""


@pytest.fixture(
    scope="module",
    params=[(go, how) for go in matrix() for how in ("exec", "pie")],
    ids=" ".join,
)
def twins(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Twins]:
    if STRIP is None:
        pytest.skip("the same layout without symbols takes binutils' strip")
    go, how = request.param
    symbols = build(HEAP, go=go, flags=(f"-buildmode={'pie' if how == 'pie' else 'exe'}",))
    stripped = strip(symbols, tmp_path_factory.mktemp("stripped") / "standing")
    with running(stripped) as program:
        yield Twins(go, symbols, stripped, program)


def test_roots_found_are_where_the_symbols_say(twins: Twins) -> None:
    program = GoProgram(ElfFile(twins.stripped))
    assert program.stripped
    bias = open_target(twins.program.pid).bias
    memory = ProcessMemory(twins.program.pid)
    found = Finder(program, shipped_layout(program.go), memory, bias).roots()
    said = roots_from_debug(DebugInfo(ElfFile(twins.symbols)))
    assert found.keys() >= REQUIRED | {"waitReasonStrings", "persistentChunks", "gcBitsArenas"}
    assert found == {name: said[name] for name in found}


class Patched(ProcessMemory):
    """A process's memory with other bytes at some addresses."""

    patches: dict[int, bytes]

    def read(self, address: int, size: int) -> bytes:
        found = bytearray(super().read(address, size))
        for at, data in self.patches.items():
            if address < at + len(data) and at < address + size:
                low, high = max(at, address), min(at + len(data), address + size)
                found[low - address : high - address] = data[low - at : high - at]
        return bytes(found)


def test_a_snapshot_of_the_goroutines_without_room_is_not_taken_for_their_list(
    twins: Twins,
) -> None:
    """While the collector marks, work.stackRoots is all that allgs is, where that is full."""
    program = GoProgram(ElfFile(twins.stripped))
    said = roots_from_debug(DebugInfo(ElfFile(twins.symbols)))
    bias = open_target(twins.program.pid).bias
    memory = Patched(twins.program.pid)
    memory.patches = {}
    allgs = said["allgs"] + bias
    pointer, count = (int.from_bytes(memory.read(allgs + 8 * i, 8), "little") for i in (0, 1))
    full = b"".join(n.to_bytes(8, "little") for n in (pointer, count, count))
    memory.patches = {allgs: full, said["work"] + bias + 64: full}
    found = Finder(program, shipped_layout(program.go), memory, bias).roots()
    assert found["allgs"] == said["allgs"]


def test_the_census_of_a_stripped_program(twins: Twins) -> None:
    report = heap_census(open_target(twins.program.pid))
    assert report.self_check.popcount_mismatches == 0 and report.self_check.spans > 20
    assert report.census
    assert report.census.objects == int(twins.program["objects"])
    assert report.census.bytes == int(twins.program["bytes"])


def test_goroutines_of_a_stripped_program(twins: Twins) -> None:
    report = goroutines(open_target(twins.program.pid), stacks=True)
    main = next(g for g in report.goroutines if g.id == 1)
    assert main.frames and main.frames[-1].function == "runtime.goexit"
    assert any(f.function == "main.main" and f.line for f in main.frames)
    assert {g.wait_reason for g in report.goroutines if g.system} >= {"GC sweep wait"}


def test_what_was_found_is_kept(twins: Twins) -> None:
    first, second = (open_target(twins.program.pid) for _ in range(2))
    assert first.program.facts == second.program.facts
    with stopped_target(second) as stopped:
        assert stopped.world.heap.arenas


WITHOUT_MAIN = """package main

import (
	"fmt"
	"runtime"
	"time"
)

func main() {
	go func() {
		time.Sleep(20 * time.Millisecond)
		for i := 0; i < 3; i++ {
			go func() { time.Sleep(time.Hour) }()
		}
		time.Sleep(20 * time.Millisecond)
		fmt.Println("goroutines", runtime.NumGoroutine())
		fmt.Println("ready")
		time.Sleep(time.Hour)
	}()
	runtime.Goexit()
}
"""


@pytest.mark.parametrize("go", matrix())
def test_a_program_whose_first_goroutine_has_ended(go: str) -> None:
    """Another one has its g by now."""
    with running(build(WITHOUT_MAIN, go=go, flags=("-ldflags=-s -w",))) as program:
        report = goroutines(open_target(program.pid))
        own = [g for g in report.goroutines if not g.system]
        assert len(own) == int(program["goroutines"]) == 4
        assert all(g.id != 1 for g in own)


@pytest.mark.parametrize("go", matrix())
def test_what_only_looks_like_the_list_of_goroutines(go: str) -> None:
    with running(build(DECOY, go=go, flags=("-ldflags=-s -w",))) as program:
        report = goroutines(open_target(program.pid))
        own = [g for g in report.goroutines if not g.system]
        assert len(own) == int(program["goroutines"]) == 21


@pytest.fixture(scope="module")
def unknown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A stripped program that says to be of a release that does not exist yet."""
    binary = build(HEAP, flags=("-ldflags=-s -w",))
    data = binary.read_bytes()
    version = f"go{GoProgram(ElfFile(binary)).go}".replace("gogo", "go").encode()
    assert version in data
    major, minor, *rest = version.decode().split(".")
    newer = ".".join([major, str(int(minor) + 70)[-len(minor) :], *rest]).encode()
    assert len(newer) == len(version)
    changed = tmp_path_factory.mktemp("unknown") / "standing"
    changed.write_bytes(data.replace(version, newer))
    changed.chmod(0o755)
    with running(changed) as program:
        yield program


@pytest.mark.contradictory
def test_a_struct_that_changed_between_patch_releases(tmp_path: Path) -> None:
    """What the process shows decides, whatever patch release its binary says to be of."""
    if "1.24" not in releases():
        pytest.skip("no Go 1.24 here")
    symbols = build(HEAP, go="1.24")
    said, debug = str(GoProgram(ElfFile(symbols)).go), DebugInfo(ElfFile(symbols))
    data = build(HEAP, go="1.24", flags=("-ldflags=-s -w",)).read_bytes()
    assert said == "go1.24.11" and said.encode() in data  # of which the shipped layout is
    binary = tmp_path / "standing"
    binary.write_bytes(data.replace(said.encode(), b"go1.24.04"))
    binary.chmod(0o755)
    likely, other = shipped_layouts(GoProgram(ElfFile(binary)).go)
    made = layout_from_debug(debug, "go1.24").struct("m")
    assert likely.struct("m") != made and other.struct("m") == made
    assert other == shipped_layout(GoProgram(ElfFile(symbols)).go)
    with running(binary) as program:
        target = open_target(program.pid)
        assert target.layout == other
        with stopped_target(target) as stopped:
            found = {thread.tid for thread in stopped.world.goroutines.threads}
            assert set(stopped.world.threads) <= found and len(found) > 2
        # By the other layout most threads are nobody's, and the reports say so.
        target.program.adopt(Facts(likely, target.program.facts.roots))
        for report in (maps(target), where(target, [0x10])):
            failed = {each.check for each in report.audit if not each.holds}
            assert "threads_known" in failed


@pytest.mark.parametrize("command", ["maps", "goroutines", "heap"])
def test_an_unknown_release_is_said(unknown: Running, command: str) -> None:
    ran = goprobe(command, str(unknown.pid))
    assert (ran.code, ran.out) == (3, b"")
    *_, sentence, hint = ran.err.strip().split("\n")  # progress may stand before them
    assert "the binary is stripped and was built by go1.97" in sentence
    assert "--assume-go" in hint


@pytest.mark.parametrize(("minor", "advised"), [(18, False), (19, False), (20, True), (97, True)])
def test_what_no_assumption_makes_readable_is_not_advised(minor: int, advised: bool) -> None:
    """Up to Go 1.19 programs have another line table, whatever release is assumed."""
    with pytest.raises(CannotWorkError) as caught:
        shipped_layout(GoVersion(1, minor, 8))
    assert ("--assume-go" in caught.value.hint) is advised and caught.value.hint


def test_an_unknown_release_read_as_a_known_one(unknown: Running) -> None:
    known = releases()[-1]
    with pytest.raises(CannotWorkError):
        open_target(unknown.pid)
    report = heap_census(open_target(unknown.pid, assume_go=known))
    assert report.self_check.popcount_mismatches == 0
    ran = goprobe("goroutines", str(unknown.pid), "--assume-go", known, "--json")
    assert ran.code == 0
    wrong = goprobe("heap", str(unknown.pid), "--assume-go", "1.2")
    assert (wrong.code, wrong.out) == (3, b"")
