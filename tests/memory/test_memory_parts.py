"""The parts of `goprobe memory`: programs that know what their memory is for, and the kernel."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parsed

from goprobe.analysis.memory.there import Whole
from goprobe.process.proc.maps import read_maps
from goprobe.runtime.heap.pagebits import read_page_bits
from goprobe.runtime.stats.books import Books
from goprobe.target.live import stopped_target
from tests.support.cli import goprobe
from tests.support.go import build, has_gcc, matrix, running

PROGRAM = Path("testdata/targets/memoryparts.go")
MIB = 1 << 20
SIZES = {
    "live": 24,
    "small": 8,
    "untouched": 200,
    "garbage": 16,
    "mapped": 12,
    "stacks": 6,
}
LIVE = "objects that the last collection found alive"
SINCE = "objects allocated since, alive or garbage"


def _asked(pid: int, *options: str) -> dict[str, Any]:
    ran = goprobe("memory", str(pid), "--json", *options)
    assert ran.code == 0, ran.err
    told: dict[str, Any] = json.loads(ran.out.splitlines()[-1]) if options else ran.json
    return told


def _parts(report: dict[str, Any]) -> dict[str, int]:
    return {part["name"]: part["bytes"] for part in report["parts"]}


def _rollup(pid: int) -> int:
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return int(next(line for line in text.splitlines() if line.startswith("Rss")).split()[1]) * 1024


@pytest.mark.parametrize("go", matrix())
def test_parts_are_as_large_as_the_program_made_them(go: str) -> None:
    words = [str(word) for pair in SIZES.items() for word in pair]
    with running(build(PROGRAM, go=go), *words) as program:
        before = _rollup(program.pid)
        report = _asked(program.pid)
        after = _rollup(program.pid)
        mappings = len(read_maps(program.pid))
        text = goprobe("memory", str(program.pid)).text
    parts = _parts(report)
    assert sum(parts.values()) == report["kernel"]["rss"]
    slack = 4096 * mappings
    assert min(before, after) - slack <= report["kernel"]["rss"] <= max(before, after) + slack
    near = pytest.approx
    assert parts[LIVE] == near((SIZES["live"] + SIZES["small"]) * MIB, abs=3 * MIB)
    assert parts[SINCE] == near(SIZES["garbage"] * MIB, abs=3 * MIB)
    assert parts["anonymous memory that nothing claims"] == near(SIZES["mapped"] * MIB, abs=MIB)
    stacks = sum(p["bytes"] for p in report["parts"] if p["of"] == "stacks")
    assert SIZES["stacks"] * MIB // 2 < stacks < SIZES["stacks"] * MIB * 2
    assert report["absent"] == near(SIZES["untouched"] * MIB, abs=8 * MIB)
    assert "GOGC is off" in report["verdict"] + str(report["surprises"])
    assert "none is due" in text and "EiB" not in text + report["verdict"]
    assert max(map(len, text.splitlines())) <= 80


def test_a_large_process_is_held_against_the_kernels_own_sums() -> None:
    """Of each mapping smaps would take long; the kernel adds them up in half the time."""
    with running(build(PROGRAM), "live", "560", "untouched", "20480") as program:
        before = _rollup(program.pid)
        report = _asked(program.pid)
        mappings = len(read_maps(program.pid))
    kernel = report["kernel"]
    assert before - 4096 * mappings <= kernel["rss"] <= before + 4096 * mappings
    assert abs(kernel["smaps_rss"] - before) <= 4096 * mappings and kernel["pss"] <= before
    check = "as_the_kernel_says"
    assert [each["holds"] for each in report["audit"] if each["check"] == check] == [True]


def test_what_the_kernel_does_not_say_is_a_disagreement() -> None:
    whole = Whole(counted=900, before=1000, after=1100, slack=50, exact=True)
    assert next(replace(whole, counted=800).disagreements(), None)
    assert next(replace(whole, counted=1300).disagreements(), None)
    assert not list(whole.disagreements())
    inexact = replace(whole, counted=1300, exact=False)  # pages of zeros count there
    assert not list(inexact.disagreements())


def test_pages_that_are_free_are_told_with_the_reason() -> None:
    with running(build(PROGRAM), "live", "4", "free", "60") as program:
        report = _asked(program.pid)
    parts = _parts(report)
    assert parts["free pages, not returned"] > 40 * MIB
    assert report["surprises"][0]["part"] == "free pages, not returned"
    assert "FreeOSMemory" in report["verdict"]
    assert report["runtime"]["scavenger"]


def test_several_looks_are_lines_of_json_with_rates() -> None:
    with running(build(PROGRAM), "live", "2") as program:
        ran = goprobe("memory", str(program.pid), "--every", "100ms", "--count", "3", "--json")
        text = goprobe("memory", str(program.pid), "--every", "50ms", "--count", "2").text
    first, *rest = [json.loads(line) for line in ran.out.splitlines()]
    assert len(rest) == 2 and "rates" not in first
    assert all(each["rates"]["seconds"] >= 0.1 for each in rest)
    assert "The last looks" in text


def test_openmetrics_ends_as_it_must_and_has_every_part() -> None:
    with running(build(PROGRAM), "live", "2") as program:
        text = goprobe("memory", str(program.pid), "--format", "openmetrics").text
        report = _asked(program.pid)
    read = {family.name: family for family in parsed(text)}  # type: ignore[no-untyped-call]
    told = read["goprobe_memory_part_bytes"].samples
    resident = read["goprobe_kernel_rss_bytes"].samples[0].value
    assert sum(sample.value for sample in told) == resident
    lines = text.splitlines()
    assert lines[-1] == "# EOF" and lines.count("# EOF") == 1
    families = [line.split()[2] for line in lines if line.startswith("# TYPE")]
    assert len(families) == len(set(families))
    samples = [line for line in lines if not line.startswith("#")]
    assert all(any(s.startswith(f) for f in families) for s in samples)
    assert sum(s.startswith("goprobe_memory_part_bytes") for s in samples) == len(report["parts"])
    assert any(s.startswith("goprobe_go_gc_heap_goal_bytes{") for s in samples)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--count", "2"], "--every"),
        (["--every", "soon"], "no length of time"),
        (["--every", "1s", "--format", "html"], "--every writes"),
    ],
)
def test_options_that_make_no_sense_are_refused(options: list[str], says: str) -> None:
    ran = goprobe("memory", "1", *options)
    assert ran.code == 2 and says in ran.err


@pytest.mark.races(
    "a thread that is stopped may be in the middle of taking, or giving back, a span"
)
@pytest.mark.parametrize("go", matrix())
def test_pages_in_use_are_the_spans_of_the_heap(go: str) -> None:
    """The page allocator's bitmaps against every span."""
    with (
        running(build(PROGRAM, go=go), "live", "3", "small", "2", "stacks", "1") as program,
        stopped_target(program.pid) as stopped,
    ):
        world, heap = stopped.world, stopped.world.heap
        books = Books(world.memory, world.layout, world.roots, heap)
        kept = [(p["pcache"], p.word("pcache", 1)) for p in books.processors]
        bits = read_page_bits(world.memory, world.layout, heap, kept)
        spans = [s for s in heap.all_spans() if heap.in_use(s) or heap.is_manual(s)]
    pages = {
        each.base + i * each.size
        for each in bits
        for i in range(each.count)
        if each.in_use >> i & 1
    }
    assert pages == {s.base + i * heap.page_size for s in spans for i in range(s.npages)}


@pytest.mark.skipif(not has_gcc(), reason="no C compiler")
@pytest.mark.parametrize("go", matrix())
@pytest.mark.parametrize(("arena", "mapped"), [("main", 0), ("main", 30), ("thread", 30)])
def test_memory_of_c_is_what_malloc_says(go: str, arena: str, mapped: int) -> None:
    """What is mapped besides, by Go here and by C, is not told as malloc's."""
    binary = build(Path("testdata/targets/mallocs.go"), go=go, env={"CGO_ENABLED": "1"})
    with running(binary, arena, str(mapped)) as program:
        report = _asked(program.pid)
        regions = goprobe("maps", str(program.pid), "--json").json["map"]
        said = int(program["arena"]) + int(program["mapped"])
    of_c, either = (
        sum(part["bytes"] for part in report["parts"] if part["of"] == group)
        for group in ("C", "C or mmap")
    )
    assert said > 30 * MIB and of_c + either == pytest.approx(said + 2 * mapped * MIB, abs=MIB)
    # Large blocks that the kernel joined with what is mapped besides are not told apart.
    large = int(program["mapped"]) if mapped else 0
    assert said - large - MIB < of_c < said + MIB
    told = {each["part"]: each["says"] for each in report["surprises"]}
    assert "malloc has for C code" in told["C"]
    assert ("nor seen to be malloc's" in told.get("C or mmap", "")) == (mapped > 0)
    assert sum(part["bytes"] for part in report["parts"]) == report["kernel"]["rss"]
    labels = {region["label"] for region in regions if region["kind"] == "c_heap"}
    assert "C heap (brk)" in labels
    assert mapped or "large block of malloc (glibc)" in labels
    assert arena == "main" or "arena of malloc (glibc)" in labels
    sizes = [
        r["rss"] for r in regions if r["label"] == "malloc or mmap, of C code or of the program"
    ]
    assert sum(sizes) == pytest.approx(either, abs=MIB)
