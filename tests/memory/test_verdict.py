"""The verdict of `goprobe memory` on programs that are large for one cause each."""

from __future__ import annotations

from pathlib import Path

import pytest

from goprobe.analysis.heap.heap import heap
from goprobe.analysis.heap.questions import HeapQuestions
from goprobe.analysis.memory import there
from goprobe.analysis.memory.facts import Facts
from goprobe.analysis.memory.memory import memory
from goprobe.analysis.memory.verdict import surprises
from goprobe.model.memory import (
    Collection,
    KernelMemory,
    MemoryPart,
    MemoryReport,
    RuntimeState,
)
from goprobe.process.proc import maps, pagemap
from goprobe.target.live import open_target
from tests.support.cgroups import memory_cgroup
from tests.support.go import build, has_gcc, matrix, running

PROGRAM = Path("testdata/targets/memorycauses.go")
ARENAS = Path("testdata/targets/userarenas.go")
MIB = 1 << 20
# The part that is to be found, how large it is in MiB, and what the verdict has to say of it.
CAUSES = {
    "gogc": ("objects allocated since", 90, "GOGC is off"),
    "limit": ("GOMEMLIMIT", 40, "collections follow"),
    "stacks": ("stacks", 30, "601 goroutines, 6"),
    "fragments": ("free room in spans", 40, "free slots between objects"),
    "huge": ("other", 190, "in huge pages"),
    "arena": ("free pages, not returned", 150, "FreeOSMemory"),
    "threads": ("stacks of threads", 8, "keeps a thread"),
    "pagetables": ("page tables", 30, "tables are kept until it is unmapped"),
    "mapped": ("other", 60, "syscall.Mmap"),
    "file": ("files", 60, "most of them data.bin"),
    "copied": ("copied pages of files", 60, "most of them data.bin"),
    "shared": ("shared memory", 60, "until it is unmapped"),
    "tmpfs": ("shared memory", 60, "goprobe-memorycauses"),
}


def _told(cause: str, folder: Path, go: str) -> MemoryReport:
    with running(build(PROGRAM, go=go), cause, str(folder)) as program:
        report = memory(open_target(program.pid))
    assert not report.contradictions
    assert sum(part.bytes for part in report.parts) == report.kernel.rss
    return report


@pytest.mark.parametrize("go", matrix())
@pytest.mark.parametrize("cause", CAUSES)
def test_the_cause_is_the_verdict(cause: str, go: str, tmp_path: Path) -> None:
    part, least, says = CAUSES[cause]
    report = _told(cause, tmp_path, go)
    first = report.surprises[0]
    assert first.part.startswith(part) and first.bytes > least * MIB, report.surprises
    assert says in report.verdict and first.change in report.verdict


@pytest.mark.parametrize("go", matrix())
def test_what_lives_is_no_surprise(go: str, tmp_path: Path) -> None:
    report = _told("live", tmp_path, go)
    assert not report.surprises and "nothing is out of proportion" in report.verdict
    assert "goprobe heap PID --types --retained" in report.verdict


@pytest.mark.parametrize(
    ("go", "flags"), [*((go, ()) for go in matrix()), (matrix()[-1], ("-race",))]
)
def test_arenas_of_the_program_are_objects_not_free_pages(go: str, flags: tuple[str, ...]) -> None:
    """The page allocator has none of their chunks, and up to Go 1.24 no list has their arenas."""
    if flags and not has_gcc():
        pytest.skip("no C compiler")
    race = {"CGO_ENABLED": "1"} if flags else {}
    binary = build(ARENAS, go=go, flags=flags, env={"GOEXPERIMENT": "arenas", **race})
    with running(binary) as program:
        target = open_target(program.pid)
        report, census = memory(target), heap(target, HeapQuestions(types=True))
    assert not report.contradictions and not census.contradictions
    parts = {part.name: part.bytes for part in report.parts}
    lived = sum(size for name, size in parts.items() if name.startswith("objects"))
    assert lived == pytest.approx(report.memstats["HeapAlloc"], abs=MIB)
    assert lived > 20 * MIB > 10 * report.absent
    assert not any("returned and back" in name or "heap object" in name for name in parts)


def _limited(now: int) -> str:
    """What is said of a limit where five collections ended 10 ms apart, the last one at 50 s."""
    kernel = KernelMemory(rss=64 * MIB, why_no_cgroup="it is in none")
    state = RuntimeState(
        gogc=100,
        memory_limit=48 * MIB,
        limited=66 * MIB,
        next_gc=64 * MIB,
        live=64 * MIB,
        retained=0,
        free=0,
        scavenger="",
        collections=tuple(Collection(9 - i, 50_000_000_000 - i * 10_000_000, 0) for i in range(5)),
        gomaxprocs=1,
        idle_ps=0,
        run_queue=0,
        goroutines=1,
        threads=1,
        idle_threads=0,
        spinning_threads=0,
    )
    parts = (MemoryPart("objects that live", 64 * MIB, "Go heap"),)
    (told,) = surprises(Facts(parts, kernel, state, {}, {}, now))
    return told.says


def test_a_program_at_rest_does_not_collect_any_more() -> None:
    assert _limited(50_100_000_000).endswith(
        "collections follow one another, the last 5 of them within 0.04 s"
    )
    assert _limited(66_000_000_000).endswith(
        "collections followed one another, the last 5 of them within 0.04 s; the last one ended "
        "16 s ago, none has run since"
    )
    assert _limited(0).endswith(
        "collections followed one another, the last 5 of them within 0.04 s"
    )


def test_zeros_of_a_core_are_not_said_to_be_gdbs() -> None:
    """The kernel writes cores, too."""
    books = MemoryPart("arena metadata", 64 * MIB, "Go runtime")
    kernel = KernelMemory(rss=books.bytes, why_no_cgroup="a core file says nothing of it")
    (told,) = surprises(Facts((books,), kernel, None, {}, {}))
    assert "zeros stand for that" in told.change and "GDB" not in told.change


def test_a_race_detectors_memory_is_not_the_runtimes_bookkeeping() -> None:
    parts = (
        MemoryPart("race detector's shadow", 64 * MIB, "Go runtime"),
        MemoryPart("runtime metadata", MIB, "Go runtime"),
    )
    kernel = KernelMemory(rss=65 * MIB, why_no_cgroup="it is in none")
    (told,) = surprises(Facts(parts, kernel, None, {}, {}))
    assert told.part == "race detector's shadow" and "-race" in told.change


def test_what_is_swapped_out_is_told_by_what_it_is(tmp_path: Path) -> None:
    if len(Path("/proc/swaps").read_text().splitlines()) < 2:
        pytest.skip("no swap here (swapon)")
    for cause, group in (("swapped", "other"), ("swappedheap", "Go heap")):
        report = _told(cause, tmp_path, matrix()[-1])
        swap = report.kernel.swap
        assert isinstance(swap, int) and swap > 24 * MIB
        assert report.swapped[group] == pytest.approx(swap, abs=MIB)
        assert report.surprises[0].part == "swap"


def test_a_cgroups_limit_is_held_against_where_the_heap_may_grow(tmp_path: Path) -> None:
    with (
        memory_cgroup(200) as folder,
        running(build(PROGRAM), "gogc", str(tmp_path)) as program,
    ):
        (folder / "cgroup.procs").write_text(str(program.pid))
        report = memory(open_target(program.pid))
    kernel, first = report.kernel, report.surprises[0]
    assert (kernel.cgroup_limit, kernel.cgroup_limit_of) == (200 * MIB, "")
    assert sum(part.bytes for part in kernel.cgroup_parts) == kernel.cgroup
    assert first.part == "cgroup" and "GOMEMLIMIT=180MiB" in report.verdict


@pytest.mark.parametrize("summed", [True, False], ids=["smaps_rollup", "counters"])
def test_kernels_without_sums_of_pages_are_held_against_their_counters(
    summed: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """smaps came with page maps, smaps_rollup with Linux 4.14."""

    def provided(pid: int, name: str) -> bool:
        return name == "smaps_rollup" and summed

    monkeypatch.setattr(there, "provides", provided)
    monkeypatch.setattr(maps, "provides", provided)
    kernel = _told("mapped", tmp_path, matrix()[-1]).kernel
    assert isinstance(kernel.pss, int) == summed and isinstance(kernel.swap, int)


@pytest.mark.parametrize("cause", ["file", "copied", "shared"])
def test_kernels_without_scans_of_page_maps_tell_copies_of_pages_too(
    cause: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pagemap, "_PAGEMAP_SCAN", 0xC0606699)  # as one before Linux 6.7 answers
    report = _told(cause, tmp_path, matrix()[-1])
    assert CAUSES[cause][0] in {part.of for part in report.parts if part.bytes > 60 * MIB}
