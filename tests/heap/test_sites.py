"""Allocation sites against what the program tells of its own profile in the same standstill."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest

import goprobe
from goprobe.model.codec import from_json
from goprobe.model.heap import HeapReport
from goprobe.model.sites import Sampling, Site
from goprobe.target.live import open_target
from tests.support.cli import goprobe as command
from tests.support.gdb import gdbs, write_core
from tests.support.go import Running, build, running
from tests.support.heap import TESTDATA
from tests.support.needed import needed
from tests.support.pprofdecode import Profile, decode
from tests.support.siterecords import seen_sites, told_sites


def _report(pid: int, *options: str) -> tuple[HeapReport, Sampling, tuple[Site, ...]]:
    done = command("heap", str(pid), "--sites", "--json", *options)
    assert done.code == 0, done.err
    report = from_json(done.out, HeapReport)
    assert isinstance(report.sampling, Sampling) and isinstance(report.sites, tuple)
    return report, report.sampling, report.sites


def _counted(
    profile: Profile,
) -> dict[tuple[tuple[tuple[str, int], ...], int], tuple[int, ...]]:
    """Without the program's own telling, and sites of which nothing is published. Go's writer has
    one file for all functions of one name (init is in many), so files are not compared."""
    sums: dict[tuple[tuple[tuple[str, int], ...], int], Counter[int]] = {}
    for (stack, size), values in profile.samples.items():
        if any(values) and not any(function == "main.tell" for function, *_ in stack):
            key = tuple((function, line) for function, _, line in stack), size
            sums.setdefault(key, Counter()).update(dict(enumerate(values)))
    return {key: tuple(each[i] for i in range(4)) for key, each in sums.items()}


@pytest.fixture(scope="module", params=["", "-s -w"], ids=["whole", "stripped"])
def binary(request: pytest.FixtureRequest, go: str) -> Path:
    return _built(go, request.param)


def _built(go: str, linker: str = "") -> Path:
    return build(TESTDATA / "sites.go", go=go, flags=[f"-ldflags={linker}"] if linker else [])


_PROGRAMS = {
    # how it is linked, GODEBUG, how it is called: how often it collects before it is asked
    "default": ("", "", "collect=3"),
    "1 KiB, midway 4": ("", "memprofilerate=1024", "collect=3 rate=4096"),
    "all": ("", "memprofilerate=1", "collect=3"),
    "nothing published": ("", "memprofilerate=1024", "collect=0"),
    "stripped": ("-s -w", "memprofilerate=1024", "collect=3"),
}


@pytest.fixture(params=_PROGRAMS)
def program(request: pytest.FixtureRequest, go: str) -> Iterator[Running]:
    linker, rate, words = _PROGRAMS[request.param]
    with running(_built(go, linker), *words.split(), env={"GODEBUG": rate}) as program:
        yield program


def test_sites_are_those_that_the_program_tells(program: Running, tmp_path: Path) -> None:
    report, sampling, sites = _report(program.pid, "--raw")
    proto = tmp_path / "heap.pb.gz"
    done = command("heap", str(program.pid), "--sites", "--format", "pprof", "-o", str(proto))
    assert done.code == 0, done.err
    program.say("tell")
    told = told_sites(program.read_until("told"))
    assert told and seen_sites(sites) == told
    assert not report.contradictions and not report.warnings and sampling.linked

    ours = decode(proto.read_bytes())
    for name in ("heap", "allocs"):  # as /debug/pprof serves them
        theirs = decode(bytes.fromhex(program[f"proto_{name}"]))
        assert ours.kinds == theirs.kinds and ours.period_type == theirs.period_type
        assert ours.period == theirs.period == sampling.rate
        assert _counted(ours) == _counted(theirs)


def test_a_cycle_that_has_ended_and_is_not_flushed_yet_counts(go: str) -> None:
    """As memProfileInternal counts it (mprof.go): the cycle that ends next but one, which is where
    allocations are noted, has ended and is not added yet."""
    with running(_built(go), "rounds=40", env={"GODEBUG": "memprofilerate=1024"}) as program:
        target = open_target(program.pid)
        _, _, before = _report(program.pid, "--raw")
        with open(f"/proc/{program.pid}/mem", "r+b", buffering=0) as memory:
            at = target.root("mProfCycle")
            cycle = int.from_bytes(os.pread(memory.fileno(), 4, at), "little") >> 1
            os.pwrite(memory.fileno(), (cycle + 2 << 1).to_bytes(4, "little"), at)
        _, _, sites = _report(program.pid, "--raw")
        program.say("tell")
        told = told_sites(program.read_until("told"))
    assert seen_sites(sites) == told != seen_sites(before)


def test_with_every_allocation_sampled_sites_are_the_census(binary: Path) -> None:
    with running(binary, env={"GODEBUG": "memprofilerate=1"}) as program:
        report, sampling, _ = _report(program.pid)
    assert sampling.rate == 1 and not sampling.scaled
    assert sampling.now_objects == sampling.sampled_objects
    # What is allocated before the runtime has read GODEBUG, and to sample by, is not sampled.
    missing = report.census.objects - sampling.now_objects
    assert 0 <= missing < 60, (report.census.objects, sampling.now_objects)


def test_sites_have_types_and_holders_and_objects_say_where_they_are_from(binary: Path) -> None:
    with running(binary, "rounds=40", env={"GODEBUG": "memprofilerate=1"}) as program:
        report, _, sites = _report(program.pid, "--types", "--retained")
        order = program["order"]
        one = command("heap", str(program.pid), "--object", order, "--path", order, "--json")
        text = command("heap", str(program.pid), "--object", order, "--path", order).text
        stripped = open_target(program.pid).program.stripped
    orders = [s for s in _by_function(sites, "main.handle") if "main.order" in s.types]
    assert sum(s.types["main.order"].objects for s in orders) == 20 * 40 + 20 * 4
    buffers = [s for s in sites if any(f.function == "bytes.Repeat" for f in s.stack)]
    kept = [(s.sampled_objects, s.retained_bytes) for s in buffers]
    assert sum(objects for objects, _ in kept if isinstance(objects, int)) == 44
    assert sum(size for _, size in kept if isinstance(size, int)) == 44 * 704
    holders = {s.held_by for s in buffers}
    assert len(holders) == 1 and len(next(iter(holders))) == 1
    assert stripped or holders == {("main.kept",)}  # a stripped program has no names of variables
    assert not report.contradictions

    assert one.code == 0, one.err
    told = one.json
    for where in (told["object"]["allocation"], told["path_allocation"]):
        frames = where["stack"][where.get("allocator", 0) :]
        assert [f["function"] for f in frames[:2]] == ["main.handle", "main.work"]
    assert " ".join(text.split()).count("allocated by main.handle sites.go:40 < main.work") == 1


def test_a_core_has_the_same_sites(binary: Path, tmp_path: Path) -> None:
    if not gdbs():
        pytest.skip("no GDB here, to write a core")
    core = tmp_path / "core"
    with running(binary, "rounds=40", env={"GODEBUG": "memprofilerate=1"}) as program:
        _, _, live = _report(program.pid)
        assert live
        write_core(program.pid, core)
    done = command("heap", str(core), "--exe", str(binary), "--sites", "--json")
    assert done.code == 0, done.err
    report = from_json(done.out, HeapReport)
    assert report is not None and report.sites == live and not report.contradictions
    refused = command("heap", str(core), "--exe", str(binary), "--sample-for", "1s")
    assert refused.code == 2 and "a core file" in refused.err


def test_a_stack_whose_code_is_gone_has_its_address(go: str) -> None:
    """As of a library that was closed."""
    nowhere = 0x123456789000
    with running(_built(go), "rounds=10", env={"GODEBUG": "memprofilerate=1"}) as program:
        target = open_target(program.pid)
        struct = target.layout.struct("bucket")
        with open(f"/proc/{program.pid}/mem", "r+b", buffering=0) as memory:
            first = _word(memory, target.root("mbuckets"))
            for i in range(_word(memory, first + struct.offset("nstk"))):
                there = first + struct.size + 8 * i
                os.pwrite(memory.fileno(), (nowhere + i).to_bytes(8, "little"), there)
        report, _, sites = _report(program.pid)
    assert any(s.stack[0].function == f"unknown code at {nowhere:#x}" for s in sites)
    assert not report.contradictions


@pytest.mark.contradictory
@pytest.mark.parametrize("broken", ["ring", "astray", "deep", "kind"])
def test_a_broken_list_is_told_as_far_as_it_makes_sense(go: str, broken: str) -> None:
    with running(_built(go), "rounds=10", env={"GODEBUG": "memprofilerate=1"}) as program:
        whole = len(_report(program.pid)[2])
        target = open_target(program.pid)
        bucket = target.layout.struct("bucket")
        with open(f"/proc/{program.pid}/mem", "r+b", buffering=0) as memory:
            first = _word(memory, target.root("mbuckets"))
            second = _word(memory, first + bucket.offset("allnext"))
            field, value = {
                "ring": ("allnext", first),
                "astray": ("allnext", 0x123456789000),
                "deep": ("nstk", 1 << 40),
                "kind": ("typ", 9),
            }[broken]
            os.pwrite(memory.fileno(), value.to_bytes(8, "little"), second + bucket.offset(field))
        done = command("heap", str(program.pid), "--sites", "--json")
        assert done.code == 0, done.err
        text = command("heap", str(program.pid), "--sites", "--types").text
    assert 0 < len(done.json["sites"]) < whole and done.json["sampling"]["why"]
    assert "some allocation sites may be not known" in " ".join(text.split())


def _word(memory: IO[bytes], address: int) -> int:
    return int.from_bytes(os.pread(memory.fileno(), 8, address), "little")


def test_an_object_that_was_not_sampled_says_so(binary: Path) -> None:
    with running(binary, "rounds=10", env={"GODEBUG": "memprofilerate=1000000000"}) as program:
        done = command("heap", str(program.pid), "--object", program["order"])
    assert "allocated by: not known, the runtime did not sample its allocation" in done.text


def test_sites_in_python_are_a_table(binary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with running(binary, "rounds=10") as program, goprobe.attach(program.pid) as process:
        sites = process.sites(raw=True, types=True)
    assert len(sites) == len(list(sites)) and not sites.sampling.scaled
    assert "<table>" in sites._repr_html_()
    with monkeypatch.context() as without:
        without.setitem(sys.modules, "pandas", None)
        with pytest.raises(goprobe.CannotWorkError, match="no pandas"):
            sites.to_pandas()
    needed("pandas")
    table = sites.to_pandas()
    assert table.inuse_bytes.sum() == sites.sampling.inuse_bytes


def _by_function(sites: tuple[Site, ...], function: str) -> list[Site]:
    return [s for s in sites if s.stack[s.allocator].function == function]
