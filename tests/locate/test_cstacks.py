"""Stacks whose bounds Go's runtime only estimates: with glibc and musl, with odd limits, of threads
that C makes in every way. The program tells the addresses and threads; maps and where must agree.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from goprobe.analysis.locate.locator import Locator
from goprobe.analysis.locate.maps import maps
from goprobe.analysis.locate.memorymap import memory_map
from goprobe.analysis.locate.where import where
from goprobe.analysis.trace.trace import TraceRequest, trace
from goprobe.model.attached import MapsReport, Whereabouts
from goprobe.model.location import Kind, Region
from goprobe.runtime.world import World
from goprobe.target.live import open_target
from goprobe.target.query import query
from tests.support.gdb import gdbs
from tests.support.go import Running, build, matrix, running

TESTDATA = Path(__file__).parents[2] / "testdata"
LIMITS = ("-S", "8192", "unlimited", "1000000")  # kilobytes; the first leaves it as it is
CASES = [(go, "musl-gcc", "-S") for go in matrix()] + [
    (go, "gcc", limit) for go in matrix()[-1:] for limit in LIMITS
]
ON_STACKS = (
    "main", "locked", "stays", "calls", "near", "given", "givennear", "signals", "signalsnear",
)  # fmt: skip


def compiled(source: Path, go: str, compiler: str, *flags: str) -> Path:
    if shutil.which(compiler) is None:
        pytest.skip(f"there is no {compiler}")
    return build(source, go=go, flags=flags, env={"CGO_ENABLED": "1", "CC": compiler})


@dataclass(frozen=True, slots=True)
class Asked:
    program: Running
    found: dict[str, Whereabouts]
    map: MapsReport


@pytest.fixture(scope="module", params=CASES, ids="-".join)
def asked(request: pytest.FixtureRequest) -> Iterator[Asked]:
    go, compiler, limit = request.param
    binary = compiled(TESTDATA / "cstacks", go, compiler)
    command = f"ulimit -{'S' if limit == '-S' else 's ' + limit}; exec {binary}"
    with running(Path("/bin/sh"), "-c", command) as program:
        names = [line.split(" ")[0] for line in program.lines if " 0x" in line]
        target = open_target(program.pid)
        report = where(target, [program.address(name) for name in names])
        yield Asked(program, dict(zip(names, report.locations, strict=True)), maps(target))


def _label(asked: Asked, name: str) -> tuple[Kind, str]:
    address = asked.program.address(name)
    return next((r.kind, r.label) for r in asked.map.map if r.low <= address < r.high)


def test_gos_memory_is_gos(asked: Asked) -> None:
    wanted = {
        "local": Kind.GOROUTINE_STACK,
        "heap": Kind.HEAP,
        "global": Kind.DATA,
        "text": Kind.TEXT,
        "malloc": Kind.C_HEAP,
    }
    assert {name: asked.found[name].kind for name in wanted} == wanted
    assert {name: _label(asked, name)[0] for name in wanted} == wanted


def test_stacks_of_threads_are_theirs(asked: Asked) -> None:
    for name in ON_STACKS:
        thread = int(asked.program[name].split()[1])
        found = asked.found[name]
        assert (found.kind, found.detail["thread"]) == (Kind.SYSTEM_STACK, thread), (name, found)
        kind, label = _label(asked, name)
        assert (kind, label.split()[-1]) == (Kind.SYSTEM_STACK, str(thread)), (name, label)
    assert asked.found["signals"].detail["which"] == "gsignal"


def test_what_threads_lead_to_is_copied_at_the_second_stop(asked: Asked) -> None:
    """Registers are read once a thread stands: the next rehearsal begins with them, instead of the
    program being held for as long as it takes to think."""
    times = 0

    def question(world: World) -> tuple[Region, ...]:
        nonlocal times
        times += 1
        return memory_map(Locator(world))

    query(open_target(asked.program.pid), question)
    assert times <= 4  # two rehearsals, two answers


def test_a_stack_in_a_variable_of_c_is_both(asked: Asked) -> None:
    for name in ("static", "staticnear"):
        assert asked.found[name].kind is Kind.BSS
        assert str(asked.found[name].detail["symbol"]).startswith("own+")
        assert _label(asked, name)[0] is Kind.BSS
        threads = {also.detail["thread"] for also in asked.found[name].also}
        assert threads == {int(asked.program[name].split()[1])}


@pytest.mark.parametrize("go", matrix())
def test_traced_with_musl(go: str, capfd: pytest.CaptureFixture[str]) -> None:
    binary = compiled(TESTDATA / "cstacks", go, "musl-gcc", "-gcflags=all=-N -l")
    lines = (TESTDATA / "cstacks" / "main.go").read_text().splitlines()
    at = next(n for n, line in enumerate(lines, 1) if line.endswith("// stop"))
    request = TraceRequest(str(binary), breaks=(f"main.go:{at}",), gdb=str(gdbs()[-1].path))
    report = trace(request)
    (stop,) = report.stops
    assert stop.goroutine == 1
    held = {v.name: v.location.kind for v in stop.variables if v.location}
    assert held["local"] is Kind.GOROUTINE_STACK
    (heap,) = (v for v in stop.variables if v.name == "heap")
    assert heap.data and heap.data.location and heap.data.location.kind is Kind.HEAP
    rows = {region.kind for region in report.map}
    assert {Kind.HEAP, Kind.TEXT, Kind.DATA, Kind.GOROUTINE_STACK, Kind.SYSTEM_STACK} <= rows
