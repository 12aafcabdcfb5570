"""`maps` against the kernel: every mapping is covered, nothing twice, and the pages add up."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby, pairwise
from pathlib import Path

import pytest

from goprobe.analysis.locate.locator import Locator
from goprobe.analysis.locate.maps import maps
from goprobe.analysis.locate.memorymap import memory_map
from goprobe.analysis.locate.wholeregions import OF_BINARY
from goprobe.model.location import Kind, Region
from goprobe.process.proc.maps import Mapping, read_maps, read_smaps
from goprobe.process.proc.pagemap import resident
from goprobe.report.picture import rows, totals
from goprobe.report.uses import present, use_of
from goprobe.target.live import open_target
from tests.support.go import Running, build, has_gcc, matrix, running
from tests.support.heap import standing_world

TARGETS = Path(__file__).parents[2] / "testdata" / "targets"
PROGRAMS = {
    "pages": ((), {}),
    "kinds": (("-buildmode=pie",), {}),
    "goroutines": (("-ldflags=-s -w",), {}),
    "kindsc": ((), {"CGO_ENABLED": "1"}),
}


def _arguments(name: str, folder: Path) -> list[str]:
    file = str(folder / "file")
    given = {"pages": [file], "kinds": [str(TARGETS / "kinds.go")], "goroutines": ["500", file]}
    return given.get(name, [])


@pytest.fixture(
    scope="module", params=[(go, name) for go in matrix() for name in PROGRAMS], ids=" ".join
)
def program(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Running]:
    go, name = request.param
    flags, env = PROGRAMS[name]
    if env and not has_gcc():
        pytest.skip("cgo needs gcc")
    binary = build(TARGETS / f"{name}.go", go=go, flags=flags, env=env)
    with running(binary, *_arguments(name, tmp_path_factory.mktemp(name))) as found:
        yield found


def _covered(regions: tuple[Region, ...], mappings: tuple[Mapping, ...]) -> None:
    """The regions are the mappings, cut."""
    assert all(r.low < r.high and r.high - r.low == r.size for r in regions)
    assert all(a.high <= b.low for a, b in pairwise(regions))
    rest = iter(regions)
    for mapping in mappings:
        at = mapping.low
        while at < mapping.high:
            region = next(rest)
            assert (region.low, region.perms) == (at, mapping.perms)
            at = region.high
        assert at == mapping.high
    assert next(rest, None) is None


def test_regions_are_the_mappings_cut(program: Running) -> None:
    target = open_target(program.pid)
    before = read_maps(program.pid)
    report = maps(target)
    if read_maps(program.pid) == before:  # threads of the runtime may map something at any time
        _covered(report.map, before)
    assert report.rss == sum(r.rss for r in report.map if isinstance(r.rss, int))


def test_no_two_neighbours_say_the_same(program: Running) -> None:
    for _, run in groupby(maps(open_target(program.pid)).map, lambda r: (r.kind, r.label, r.perms)):
        for a, b in pairwise(run):
            assert a.high < b.low or _at_a_mapping(program.pid, b.low)


def test_what_is_told_of_each_use_is_the_sum_of_the_regions_of_it(program: Running) -> None:
    """Goroutines' stacks of 2 KiB, two to a page, among them."""
    report = maps(open_target(program.pid))
    told = {part.use: (part.size, part.present) for part in totals(rows(report.map))}
    mine = [r for r in report.map if r.kind not in OF_BINARY and r.low < 1 << 63]
    for use in {use_of(r) for r in mine}:
        regions = [r for r in mine if use_of(r) == use]
        assert told[use] == (sum(r.size for r in regions), sum(present(r) for r in regions))


def _at_a_mapping(pid: int, address: int) -> bool:
    return any(m.low == address for m in read_maps(pid))


def test_resident_pages_add_up_to_those_of_the_kernel(program: Running) -> None:
    report = maps(open_target(program.pid))
    # The runtime's background threads may touch a page between two looks.
    assert report.rss and report.smaps_rss
    assert abs(report.rss - report.smaps_rss) <= 16 * 4096
    for _ in range(20):
        uses = read_smaps(program.pid)
        counted = resident(program.pid, [(u.mapping.low, u.mapping.size) for u in uses]).sizes
        differ = [(u, n) for u, n in zip(uses, counted, strict=True) if u.rss != n]
        if not differ:
            return
    raise AssertionError(differ)


def test_each_region_is_what_where_says_of_its_addresses() -> None:
    binary = build(TARGETS / "kinds.go")
    with (
        running(binary, str(TARGETS / "kinds.go")) as program,
        standing_world(program.pid, binary) as world,
    ):
        locator = Locator(world)
        regions = memory_map(locator)
        _covered(regions, world.mappings)
        for region in regions:
            for at in (region.low, (region.low + region.high) // 2, region.high - 1):
                found = locator.locate(at)
                # Tails of spans and idle parts of the arenas are told apart by `where` only.
                same = found.kind == region.kind or {found.kind, region.kind} <= {
                    Kind.HEAP,
                    Kind.RUNTIME,
                    Kind.RESERVED,
                }
                assert same, (region, hex(at), found)
    kinds = {r.kind for r in regions}
    assert kinds >= {
        Kind.TEXT,
        Kind.RODATA,
        Kind.DATA,
        Kind.BSS,
        Kind.HEAP,
        Kind.GOROUTINE_STACK,
        Kind.SYSTEM_STACK,
        Kind.RUNTIME,
        Kind.FILE,
        Kind.VDSO,
        Kind.RESERVED,
    }
