"""`maps` and `where` of processes whose memory is strange, against smaps and against themselves."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from msgspec.structs import replace

from goprobe.analysis.locate.auditmaps import Looked, MapsFacts, audit_maps
from goprobe.analysis.locate.auditwhere import WhereFacts, audit_where
from goprobe.analysis.locate.maps import maps
from goprobe.analysis.locate.where import where
from goprobe.model.address import Address
from goprobe.model.attached import MapsReport, Whereabouts, WhereReport
from goprobe.model.location import Kind, Location, Region
from goprobe.process.proc import pagemap
from goprobe.process.proc.maps import MappingUse, read_maps, read_smaps
from goprobe.process.proc.pagemap import resident
from goprobe.target.live import open_target
from tests.support.go import Running, build, has_gcc, matrix, running

TARGETS = Path(__file__).parents[2] / "testdata" / "targets"
BUILDS = {
    "plain": (), "pie": ("-buildmode=pie",), "stripped-pie": ("-buildmode=pie", "-ldflags=-s -w"),
}  # fmt: skip
# What was put there, and how many bytes of it were touched (-1: what the page cache has).
FILES = {
    "exe": ("mapped file strange", -1), "exehead": ("mapped file strange", -1),
    "exelow": ("mapped file strange", -1), "exeshared": ("mapped file strange", -1),
    "private": ("mapped file twice", 8 * 4096), "shared": ("mapped file twice", 4 * 4096),
    "deleted": ("mapped file gone (deleted)", 2 * 4096),
    "sharedanon": ("shared anonymous memory", 3 * 4096), "memfd": ("memory file crate", 5 * 4096),
    "sysv": ("System V shared memory 00000000", 4096),
}  # fmt: skip
PAGE = 4096


@pytest.fixture(scope="module", params=[f"{go} {name}" for go in matrix() for name in BUILDS])
def strange(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Running]:
    go, name = request.param.split()
    binary = build(TARGETS / "strange.go", go=go, flags=BUILDS[name])
    with running(binary, str(tmp_path_factory.mktemp("strange"))) as program:
        yield program


def at(report: MapsReport, address: int) -> Region:
    return next(r for r in report.map if r.low <= address < r.high)


def found(program: Running, *names: str) -> dict[str, Whereabouts]:
    asked = where(open_target(program.pid), [program.address(n) for n in names])
    return dict(zip(names, asked.locations, strict=True))


def test_files_are_files_and_the_vdso_stays_the_vdso(strange: Running) -> None:
    for name, location in found(strange, *FILES).items():
        # The test binaries' folder may be tidied up while they run.
        told = location.name.replace("strange (deleted)", "strange")
        assert (location.kind, told) == (Kind.FILE, FILES[name][0])
    report = maps(open_target(strange.pid))
    mappings = read_maps(strange.pid)
    assert "[vdso]" in {m.path for m in mappings}
    for m in mappings:
        kinds = {r.kind for r in report.map if m.low <= r.low < m.high}
        if m.path in ("[vdso]", "[vvar]", "[vsyscall]"):
            assert kinds == {Kind.VDSO}
        elif "/ld-linux" in m.path:
            assert kinds == {Kind.LIBRARY}
        elif not m.is_file:
            assert Kind.LIBRARY not in kinds or m.path == ""


def test_what_is_resident_is_what_was_touched(strange: Running) -> None:
    report = maps(open_target(strange.pid))
    for name, (_, touched) in FILES.items():
        assert touched < 0 or at(report, strange.address(name)).rss == touched
    pid = strange.pid
    parts = {
        "scattered": (4096 * PAGE, 2048 * PAGE),
        "holes": (64 * PAGE, 60 * PAGE),
        "giant": (1 << 40, 0),
        "empty": (1 << 36, 0),
    }
    for name, (size, touched) in parts.items():
        assert resident(pid, [(strange.address(name), size)]).sizes == [touched], name
    huge = strange.address("hugetlb")
    if huge:  # this machine has some set aside
        assert (at(report, huge).kind, at(report, huge).rss) == (Kind.FILE, 2 << 20)
        assert found(strange, "hugetlb")["hugetlb"].name == "anonymous huge pages"
    # Pages that were only read are pages of zeros, which smaps does not count.
    counted = resident(pid, [(strange.address("zeros"), 64 * PAGE)])
    assert counted.sizes == [0] or not counted.exact


def test_what_nothing_claims_is_said_to_be_unidentified(strange: Running) -> None:
    for name, location in found(strange, "scattered", "huge", "empty", "holes", "jit").items():
        assert (location.kind, location.detail.get("what")) == (Kind.RUNTIME, "unidentified"), name
    assert found(strange, "giant")["giant"].kind is Kind.RESERVED
    hole = found(strange, "heaphole")["heaphole"]
    assert hole.kind is Kind.HEAP
    assert at(maps(open_target(strange.pid)), hole.address).perms == "---p"


@pytest.mark.parametrize("room", [1, 3, 512, 4096, 1 << 16])
def test_no_page_is_counted_twice_however_many_the_kernel_hands_back(
    strange: Running, room: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asked for more than 512 runs Linux 6.18 says that it has walked less far than it has."""
    monkeypatch.setattr(pagemap, "_REGIONS", room)
    size = 4096 * PAGE
    scattered = strange.address("scattered")
    assert resident(strange.pid, [(scattered, size)]).sizes == [size // 2]
    halves = resident(strange.pid, [(scattered, size // 2), (scattered + size // 2, size // 2)])
    assert halves.sizes == [size // 4, size // 4]


@pytest.mark.skipif(not has_gcc(), reason="-race needs gcc")
@pytest.mark.parametrize("flag", ["-race", "-asan"])
def test_a_sanitizers_shadow_is_no_memory_of_malloc(flag: str, tmp_path: Path) -> None:
    binary = build(TARGETS / "kinds.go", flags=(flag,), env={"CGO_ENABLED": "1"})
    with running(binary, str(TARGETS / "kinds.go")) as program:
        report = maps(open_target(program.pid))
    shadow = [r for r in report.map if r.label.endswith("shadow")]
    assert shadow and all(r.kind is Kind.RUNTIME for r in shadow)
    assert sum(r.rss or 0 for r in shadow) > 1 << 16
    assert not [r for r in report.map if r.kind is Kind.C_HEAP and r.size > 1 << 30]


# The checks, broken on purpose


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[MapsReport, Looked]:
    binary = build(TARGETS / "strange.go")
    with running(binary, str(tmp_path_factory.mktemp("strange"))) as program:
        report = maps(open_target(program.pid))
        uses = read_smaps(program.pid)
    sizes = [r.rss or 0 for r in report.map]
    return report, Looked(report.map, sizes, uses, uses, exact=True)


def failed(report: MapsReport, looked: Looked) -> set[str]:
    return {e.check for e in audit_maps(MapsFacts(report, looked)) if not e.holds}


def altered(report: MapsReport, i: int, **changes: object) -> MapsReport:
    region = replace(report.map[i], **changes)
    return replace(report, map=(*report.map[:i], region, *report.map[i + 1 :]))


def largest(report: MapsReport) -> int:
    return max(range(len(report.map)), key=lambda i: report.map[i].rss or 0)


def grown(uses: tuple[MappingUse, ...] | list[MappingUse], by: int, low: int) -> list[MappingUse]:
    return [
        replace(u, rss=u.rss + by) if u.mapping.low <= low < u.mapping.high else u for u in uses
    ]


@pytest.mark.contradictory
def test_sizes_that_cannot_be_are_told(whole: tuple[MapsReport, Looked]) -> None:
    report, looked = whole
    assert not failed(report, looked)
    i = largest(report)
    region = report.map[i]
    more = altered(report, i, rss=region.size + PAGE)
    assert failed(more, looked) == {"bytes_fit", "bytes_add_up"}
    assert failed(replace(report, rss=(report.rss or 0) + 1), looked) == {"bytes_add_up"}
    i = next(i for i, (one, other) in enumerate(pairwise(report.map)) if one.high == other.low)
    region = report.map[i]
    longer = altered(report, i, high=Address(region.high + PAGE), size=region.size + PAGE)
    assert "regions_apart" in failed(longer, looked)
    assert "regions_apart" in failed(altered(report, i, size=region.size - 1), looked)
    stack = next(j for j, r in enumerate(report.map) if r.kind is Kind.GOROUTINE_STACK)
    assert failed(altered(report, stack, perms="r-xp"), looked) == {"rights_fit"}


@pytest.mark.contradictory
def test_a_kernel_that_counts_otherwise_is_told_unless_it_changes_meanwhile(
    whole: tuple[MapsReport, Looked],
) -> None:
    report, looked = whole
    low = report.map[largest(report)].low
    page = replace(looked, before=grown(list(looked.before), PAGE, low))
    assert not failed(report, page)
    more = grown(list(looked.before), 4 * PAGE, low)
    assert failed(report, replace(looked, before=more, after=more)) == {"kernel_agrees"}
    less = grown(list(looked.before), -4 * PAGE, low)
    assert failed(report, replace(looked, before=less, after=less)) == {"kernel_agrees"}
    # Where zeros cannot be told apart smaps counts less.
    assert not failed(report, replace(looked, before=less, after=less, exact=False))
    # It grew while it was looked at: anything near is possible, and far off is not.
    assert not failed(report, replace(looked, before=less))
    far = grown(list(looked.before), 64 * PAGE, low)
    assert failed(report, replace(looked, before=far, after=grown(far, PAGE, low)))


@pytest.mark.contradictory
def test_identities_that_cannot_be_are_told(strange: Running) -> None:
    target = open_target(strange.pid)
    names = ["heaphole", "exe", "giant", "scattered"]
    report = where(target, [strange.address(n) for n in names])
    mappings = read_maps(strange.pid)
    heap, file, reserved, loose = report.locations

    def told(location: Whereabouts) -> set[str]:
        changed: WhereReport = replace(report, locations=(location,))
        return {e.check for e in audit_where(WhereFacts(changed, mappings)) if not e.holds}

    assert not told(heap) and not told(file) and not told(reserved) and not told(loose)
    text = Location(Kind.TEXT, heap.address, "main.main", {}, ("a symbol",))
    assert told(replace(heap, also=(text,))) == {"identities_agree"}
    assert told(replace(heap, evidence=())) == {"evidence_given"}
    assert told(replace(heap, kind=Kind.UNMAPPED)) == {"mappings_allow"}
    nowhere = Address(8)
    assert "mappings_allow" in told(replace(heap, address=nowhere))
    assert "within_bounds" in told(replace(heap, address=nowhere))
    bounds = {"low": Address(0x3D8), "high": Address(loose.address + 1)}
    stack = replace(loose, kind=Kind.SYSTEM_STACK, detail=bounds)
    assert told(stack) == {"stacks_whole"}
