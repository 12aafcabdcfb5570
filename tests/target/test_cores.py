"""Core files asked what running processes are asked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile
from msgspec import UNSET

from goprobe.analysis.goroutines.goroutines import goroutines
from goprobe.analysis.heap.heap import heap
from goprobe.analysis.heap.questions import HeapQuestions
from goprobe.analysis.locate.maps import maps
from goprobe.analysis.locate.where import where
from goprobe.errors import NotGoError, UsageError
from goprobe.model.location import Kind
from goprobe.target.core import open_core
from goprobe.target.live import open_target
from tests.support.cli import goprobe
from tests.support.gdb import gdbs, write_core
from tests.support.go import Running, build, running
from tests.support.heap import TESTDATA

QUESTIONS = HeapQuestions(types=True, retained=True, dangling=True)


@pytest.fixture(scope="module")
def binary() -> Path:
    return build(TESTDATA / "zoo.go")


@pytest.fixture(scope="module")
def program(binary: Path) -> Iterator[Running]:
    with running(binary) as found:
        yield found


@pytest.fixture(scope="module")
def core(program: Running, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What GDB's gcore command writes of it: the oldest GDB's, with a gigabyte of zeros."""
    file = tmp_path_factory.mktemp("core") / "zoo.core"
    write_core(program.pid, file, gdbs()[0])
    return file


def test_the_heap_of_a_core_is_that_of_its_process(
    program: Running, core: Path, binary: Path
) -> None:
    live = heap(open_target(program.pid), QUESTIONS)
    dead = heap(open_core(str(core), str(binary)), QUESTIONS)
    assert dead.snapshot == "core"
    assert dead.pid == program.pid
    assert dead.self_check.popcount_mismatches == 0
    assert dead.dangling == ()
    assert abs(dead.census.objects - live.census.objects) <= 2
    mine = [{t for t in report.types if "main." in t.type} for report in (live, dead)]
    assert mine[0] == mine[1]
    assert dead.roots and any(r.name == "main.bigs" for r in dead.roots)
    assert heap(open_core(str(core), str(binary)), HeapQuestions()).census == dead.census


def test_the_core_itself_names_its_executable(core: Path, binary: Path) -> None:
    assert open_core(str(core)).program.elf.path == str(binary)
    with pytest.raises(UsageError):
        open_core(str(binary))
    with pytest.raises(UsageError):
        open_core(str(core), str(core))


def test_where_maps_and_goroutines_of_a_core(program: Running, core: Path, binary: Path) -> None:
    target = open_core(str(core), str(binary))
    address = int(next(line for line in program.lines if "main.big" in line).split()[1], 16)
    (found,) = where(target, [address]).locations
    assert found.kind is Kind.HEAP
    live, dead = goroutines(open_target(program.pid)), goroutines(target)
    assert {(g.id, g.status) for g in live.goroutines} == {
        (g.id, g.status) for g in dead.goroutines
    }
    report = maps(target)
    assert {r.kind for r in report.map} >= {Kind.TEXT, Kind.HEAP, Kind.BSS}
    assert report.stored and report.stored > 1 << 20
    # What was resident a core does not tell: it may have pages that never were in memory.
    assert report.rss is UNSET and report.smaps_rss is UNSET
    assert all(r.rss is UNSET for r in report.map)


def test_a_core_is_not_said_to_have_stood_still_nor_its_sizes_to_be_the_kernels(core: Path) -> None:
    shown = goprobe("maps", core)
    assert shown.code == 0
    text = shown.out.decode()
    assert "as its core file has it" in text
    assert "stood still" not in text and "smaps" not in text and "resident" not in text
    assert "of it in the core file" in text and "Stored, by use" in text


def test_a_core_that_is_cut_off_is_said_to_be(core: Path, binary: Path, tmp_path: Path) -> None:
    cut, size = tmp_path / "cut", core.stat().st_size
    with core.open("rb") as whole, cut.open("wb") as part:
        part.write(whole.read(size - 100_000))
    ran = goprobe("goroutines", cut, "--exe", binary)
    assert "is damaged: it is cut off: its last " in ran.err
    assert "missing" not in goprobe("goroutines", core, "--exe", binary).err
    cut.write_bytes(cut.read_bytes()[:3_000_000])
    ran = goprobe("heap", cut, "--exe", binary)
    assert ran.code == 3 and "bookkeeping in the core cannot be read" in ran.err
    assert "it is cut off" in ran.err


def test_a_damaged_core_teaches_nothing_about_other_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its list of threads begins later: where the runtime's list lies was then looked for and found
    elsewhere, or nowhere, and that was kept for every process of the binary."""
    stripped = build(TESTDATA / "zoo.go", flags=("-ldflags=-s -w",))
    with running(stripped) as program:
        file = tmp_path / "core"
        write_core(program.pid, file)
        target = open_core(str(file), str(stripped))
        facts, at = target.program.facts, target.root("allm")
        truth = target.core.read(at, 8)
        later = target.core.read(
            int.from_bytes(truth, "little") + facts.layout.offset("m", "alllink"), 8
        )
        with file.open("rb+") as stream:
            loads = [s.header for s in ELFFile(stream).iter_segments("PT_LOAD")]
            (place,) = (
                load.p_offset + at - load.p_vaddr
                for load in loads
                if load.p_vaddr <= at < load.p_vaddr + load.p_filesz
            )
            stream.seek(place)
            assert stream.read(8) == truth
            stream.seek(place)
            stream.write(later)
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
        with suppress(NotGoError):
            open_core(str(file), str(stripped))
        assert open_target(program.pid).program.facts.roots == facts.roots
