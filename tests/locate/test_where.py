"""`where` against programs that say themselves what they put where: every kind of address."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest

from goprobe.analysis.locate.where import where
from goprobe.model.attached import Whereabouts
from goprobe.model.location import Detail, Kind
from goprobe.process.proc.maps import read_maps
from goprobe.target.live import Target, open_target, stopped_target
from tests.support.go import Running, build, has_gcc, matrix, running, whole_matrix

TARGETS = Path(__file__).parents[2] / "testdata" / "targets"
STRIPPED = "-ldflags=-s -w"
BUILDS: dict[str, tuple[str, ...]] = {
    "plain": (),
    "pie": ("-buildmode=pie",),
    "stripped": (STRIPPED,),
    "stripped-pie": ("-buildmode=pie", STRIPPED),
}
SOME = list(BUILDS) if whole_matrix() else ["plain", "stripped-pie"]

# What the program says by name, and what its sections and sizes must be found to be.
KINDS: dict[str, tuple[Kind, Detail]] = {
    "text": (Kind.TEXT, {"function": "main.known"}),
    "rodata": (Kind.RODATA, {"section": ".rodata"}),
    "data": (Kind.DATA, {"section": ".data"}),
    "noptrdata": (Kind.DATA, {"section": ".noptrdata"}),
    "bss": (Kind.BSS, {"section": ".bss"}),
    "noptrbss": (Kind.BSS, {"section": ".noptrbss"}),
    "zerobase": (Kind.BSS, {"section": ".noptrbss"}),
    "tiny": (Kind.HEAP, {"object_size": 16, "noscan": True, "allocated": True, "tiny": True}),
    "small": (Kind.HEAP, {"object_size": 48, "noscan": True, "allocated": True}),
    "bitmap": (Kind.HEAP, {"object_size": 32, "noscan": False, "allocated": True}),
    "header": (Kind.HEAP, {"object_size": 896, "noscan": False, "allocated": True}),
    "large": (Kind.HEAP, {"object_size": 106496, "size_class": 0, "noscan": True}),
    "largepointers": (Kind.HEAP, {"object_size": 81920, "size_class": 0, "noscan": False}),
    "freed": (Kind.HEAP, {"object_size": 1408, "allocated": False}),
    "neighbour": (Kind.HEAP, {"object_size": 1408, "allocated": True}),
    "private": (Kind.FILE, {"path": str(TARGETS / "kinds.go"), "perms": "r--p"}),
    "shared": (Kind.FILE, {"path": str(TARGETS / "kinds.go"), "perms": "r--s"}),
}
SYMBOLS = {
    "data": "main.inData",
    "noptrdata": "main.number",
    "bss": "main.inBss",
    "noptrbss": "main.inNoptrBss",
    "static": "runtime.staticuint64s+0x28",
    "zerobase": "runtime.zerobase",
}
C_KINDS = {
    "malloc": Kind.C_HEAP,
    "bigmalloc": Kind.C_HEAP,
    "cmmap": Kind.C_HEAP,
    "reserved": Kind.RESERVED,
    "libc": Kind.LIBRARY,
    "libcdata": Kind.LIBRARY,
    "libcbss": Kind.LIBRARY,
    "ctext": Kind.TEXT,
    "cdata": Kind.DATA,
}


@dataclass(frozen=True, slots=True)
class Standing:
    """A program that stands ready, opened once."""

    go: str
    stripped: bool
    program: Running
    target: Target

    def ask(self, *addresses: int) -> tuple[Whereabouts, ...]:
        return where(self.target, addresses).locations

    def one(self, address: int) -> Whereabouts:
        return self.ask(address)[0]


def _standing(source: str, go: str, kind: str, cgo: bool = False) -> Iterator[Standing]:
    env = {"CGO_ENABLED": "1"} if cgo else None
    binary = build(TARGETS / source, go=go, flags=BUILDS[kind], env=env)
    with running(binary, str(TARGETS / "kinds.go")) as program:
        yield Standing(go, "stripped" in kind, program, open_target(program.pid))


ALL = [f"{go} {kind}" for go in matrix() for kind in SOME]


@pytest.fixture(scope="module", params=ALL)
def kinds(request: pytest.FixtureRequest) -> Iterator[Standing]:
    go, kind = request.param.split()
    yield from _standing("kinds.go", go, kind)


@pytest.fixture(scope="module", params=ALL)
def cgo(request: pytest.FixtureRequest) -> Iterator[Standing]:
    if not has_gcc():
        pytest.skip("cgo needs gcc")
    go, kind = request.param.split()
    yield from _standing("kindsc.go", go, kind, cgo=True)


def _holds(found: Whereabouts, detail: Detail) -> None:
    assert {k: found.detail.get(k) for k in detail} == detail, found
    assert found.evidence and all(found.evidence), found


def test_what_the_program_put_there(kinds: Standing) -> None:
    found = kinds.ask(*(kinds.program.address(key) for key in KINDS))
    for (key, (kind, detail)), location in zip(KINDS.items(), found, strict=True):
        assert (location.kind, location.address) == (kind, kinds.program.address(key)), key
        _holds(location, detail)


def test_symbols_where_there_are_any(kinds: Standing) -> None:
    found = kinds.ask(*(kinds.program.address(key) for key in SYMBOLS))
    wanted = [None if kinds.stripped else symbol for symbol in SYMBOLS.values()]
    assert [location.detail.get("symbol") for location in found] == wanted
    static = found[list(SYMBOLS).index("static")]
    # The table of small numbers moved to read-only memory in Go 1.24 (runtime/iface.go).
    assert static.kind == (Kind.DATA if kinds.go < "1.24" else Kind.RODATA)


def test_types_of_objects_with_a_header(kinds: Standing) -> None:
    header, large = kinds.ask(*map(kinds.program.address, ("header", "largepointers")))
    if kinds.go == "1.21":  # it keeps no types in the heap
        assert "type" not in header.detail and "type" not in large.detail
    else:
        assert (header.detail["type"], header.detail["offset"]) == ("[100]*int", 8)
        assert large.detail["type"] == "[10000]*int"


@pytest.mark.parametrize("key", ["tiny", "small", "bitmap", "header", "large", "largepointers"])
def test_pointers_into_objects(kinds: Standing, key: str) -> None:
    start = kinds.program.address(key)
    at = start + 5
    first, inside = kinds.ask(start, at)
    same = ("span", "object", "index", "object_size", "allocated")
    assert [inside.detail[k] for k in same] == [first.detail[k] for k in same]
    assert inside.detail["offset"] == int(first.detail["offset"]) + 5
    base, size = int(first.detail["object"]), int(first.detail["object_size"])
    before, last, after = kinds.ask(base - 1, base + size - 1, base + size)
    assert last.detail["object"] == base
    assert before.detail.get("object") != base and after.detail.get("object") != base


@pytest.mark.parametrize(
    ("key", "status"), [("parked", "waiting"), ("running", "running"), ("main", "syscall")]
)
def test_stacks_of_goroutines(kinds: Standing, key: str, status: str) -> None:
    address, number = kinds.program[key].split()
    at = int(address, 16)
    found = kinds.one(at)
    assert found.kind == Kind.GOROUTINE_STACK, found
    low, high = int(found.detail["low"]), int(found.detail["high"])
    assert low <= at < high
    _holds(found, {"goroutine": int(number), "live": True, "from_high": high - at})
    # One that loops may be caught between two turns of its loop, in the scheduler.
    assert status == "running" or found.detail["status"] == status
    lowest, highest, beyond = kinds.ask(low, high - 1, high)
    _holds(lowest, {"goroutine": int(number), "live": False, "from_high": high - low})
    _holds(highest, {"goroutine": int(number), "live": True, "from_high": 1})
    assert beyond.detail.get("goroutine") != int(number)


def test_stacks_of_the_runtimes_own_goroutines(kinds: Standing) -> None:
    from goprobe.analysis.goroutines.goroutines import goroutines

    system = [g for g in goroutines(kinds.target).goroutines if g.system]
    assert len(system) >= 3
    for g in system:
        top, bottom = kinds.ask(int(g.stack.high) - 8, int(g.stack.low))
        _holds(top, {"goroutine": g.id, "live": True})
        _holds(bottom, {"goroutine": g.id, "live": False})


def _thread_stacks(pid: int) -> dict[int, int]:
    """Stack pointers of threads that sleep in the kernel, as the kernel says."""
    found: dict[int, int] = {}
    for task in Path(f"/proc/{pid}/task").iterdir():
        words = (task / "syscall").read_text().split()
        if len(words) == 9:
            found[int(task.name)] = int(words[7], 16)
    return found


def test_system_stacks(kinds: Standing) -> None:
    base, size, thread = kinds.program["gsignal"].split()
    wanted: Detail = {"which": "gsignal", "thread": int(thread)}
    for at in (int(base, 16), int(base, 16) + int(size) - 1):
        found = kinds.one(at)
        assert found.kind == Kind.SYSTEM_STACK
        _holds(found, wanted)
    g0, patience = 0, time.monotonic() + 10
    while not g0 and time.monotonic() < patience:  # a thread may be about to fall asleep
        idle = _thread_stacks(kinds.program.pid)
        for (tid, sp), found in zip(idle.items(), kinds.ask(*idle.values()), strict=True):
            assert found.kind in (Kind.SYSTEM_STACK, Kind.GOROUTINE_STACK), found
            if found.kind == Kind.SYSTEM_STACK:
                _holds(found, {"thread": tid, "which": "g0"})
                g0 += 1
            assert found.address == sp
    assert g0


def test_the_runtimes_own_memory(kinds: Standing) -> None:
    small = kinds.program.address("small")
    with stopped_target(kinds.target) as stopped:
        heap = stopped.world.heap
        span, arena = heap.span_at(small), heap.arena_at(small)
        assert span and arena
        table = heap.arena_table[0] + 8 * (arena.index % (1 << 22))
        spans = int(heap.record["allspans"])
    asked = {
        span.address: "span metadata",
        span.address + 40: "span metadata",
        span.alloc_bits: "GC bits",
        table: "arena index",
        arena.address: "arena metadata",
        spans: "span list",
    }
    for found, what in zip(kinds.ask(*asked), asked.values(), strict=True):
        assert found.kind == Kind.RUNTIME, found
        _holds(found, {"what": what})


def test_the_kernels_own_and_nothing(kinds: Standing) -> None:
    maps = read_maps(kinds.program.pid)
    vdso = next(m for m in maps if m.path == "[vdso]")
    reserved = [m for m in maps if m.perms == "---p" and not m.is_file]
    assert reserved
    gap = next(a.high for a, b in pairwise(maps) if b.low > a.high)
    found = kinds.ask(vdso.low + 64, 0, 0x10, gap, (1 << 64) - 1)
    assert [f.kind for f in found] == [Kind.VDSO, *[Kind.UNMAPPED] * 4]
    for f in kinds.ask(*(m.low for m in reserved), *(m.high - 1 for m in reserved)):
        assert f.kind == Kind.RESERVED, f


def test_memory_of_c(cgo: Standing) -> None:
    found = cgo.ask(*(cgo.program.address(key) for key in C_KINDS))
    assert dict(zip(C_KINDS, (f.kind for f in found), strict=True)) == C_KINDS
    names = dict(zip(C_KINDS, found, strict=True))
    for key in ("libc", "libcdata", "libcbss"):
        assert "libc" in str(names[key].detail["path"])
    if not cgo.stripped:
        assert names["ctext"].detail["function"] == "c_function"
        assert names["cdata"].detail["symbol"] == "c_variable"


def test_stacks_of_c(cgo: Standing) -> None:
    own, called = (cgo.program[key].split() for key in ("cthread", "called"))
    thread, g0 = cgo.ask(int(own[0], 16), int(called[0], 16))
    assert (thread.kind, g0.kind) == (Kind.SYSTEM_STACK, Kind.SYSTEM_STACK)
    _holds(thread, {"which": "os", "thread": int(own[1])})
    _holds(g0, {"which": "g0", "thread": int(called[1])})


def test_every_identity_of_an_address(kinds: Standing) -> None:
    with stopped_target(kinds.target) as stopped:
        g = next(g for g in stopped.world.goroutines.all if g.id == 1)
    found = kinds.one(g.address)
    assert {found.kind, *(also.kind for also in found.also)} >= {Kind.RUNTIME}
    told = [found.detail, *(also.detail for also in found.also)]
    assert any(f.get("what") == "g struct" and f["goroutine"] == 1 for f in told)
