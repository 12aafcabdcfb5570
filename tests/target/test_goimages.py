"""Go programs that are not the process's executable: in libraries, one or several, or beside C."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from goprobe.analysis.goroutines.goroutines import goroutines
from goprobe.analysis.heap.census import heap_census
from goprobe.analysis.locate.maps import maps
from goprobe.analysis.locate.where import where
from goprobe.analysis.memory.memory import memory
from goprobe.errors import NotGoError, UsageError
from goprobe.model.attached import Whereabouts
from goprobe.model.location import Kind
from goprobe.process.proc.maps import read_maps
from goprobe.target.live import Target, open_target
from tests.support.cli import goprobe
from tests.support.go import Running, build, has_gcc, matrix, running

FOLDER = Path(__file__).parents[2] / "testdata" / "libraries"
CGO = {"CGO_ENABLED": "1"}
STRIPPED = ("-ldflags=-s -w",)

pytestmark = pytest.mark.skipif(not has_gcc(), reason="cgo needs gcc")


def library(go: str, name: str, *, mode: str = "c-shared", flags: tuple[str, ...] = ()) -> Path:
    """The Go program `name` as a library; a stripped one has a name of its own."""
    source = (FOLDER / "one.go").read_text().replace("_one", f"_{name}")
    return build(source, go=go, flags=(f"-buildmode={mode}", *flags), env=CGO)


def host(into: Path, *options: str | Path) -> Path:
    """The C program; with an archive's path it is linked into it."""
    linked = ["-DLINKED"] if options else []
    command = ["gcc", *linked, "-o", into, FOLDER / "host.c", *options, "-ldl", "-lpthread"]
    subprocess.run(command, check=True)
    return into


def named(folder: Path, name: str, library: Path) -> Path:
    """The library under a name of its own, as it would be installed."""
    link = folder / f"lib{name}.so"
    link.unlink(missing_ok=True)
    os.link(library, link)
    return link


def ask(target: Target, program: Running, name: str) -> dict[str, Whereabouts]:
    keys = [line.split()[0] for line in program.lines if line.startswith(f"{name}.")]
    found = where(target, [program.address(key) for key in keys])
    return {k.partition(".")[2]: w for k, w in zip(keys, found.locations, strict=True)}


def check(target: Target, program: Running, name: str, *, symbols: bool) -> None:
    found = ask(target, program, name)
    assert {k: w.kind for k, w in found.items()} == {
        "text": Kind.TEXT,
        "data": Kind.DATA,
        "heap": Kind.HEAP,
    }
    assert found["text"].detail.get("function") == "main.known"
    assert found["data"].detail.get("symbol") == ("main.number" if symbols else None)
    assert (found["heap"].detail["object_size"], found["heap"].detail["allocated"]) == (32, True)


def check_c(target: Target, program: Running) -> None:
    found = ask(target, program, "c")
    # Where the C library puts what malloc gives is its own affair; Go's it is not.
    assert found["malloc"].kind == Kind.C_HEAP
    assert {found["text"].kind, found["bss"].kind} <= {Kind.LIBRARY, Kind.TEXT, Kind.BSS}


@pytest.mark.parametrize("go", matrix())
def test_the_memory_of_the_program_that_loaded_it_is_not_laid_at_its_door(go: str) -> None:
    """Nothing of C.malloc is in it: the interpreter has its objects, and malloc's, there."""
    shared = library(go, "one")
    code = f"""import ctypes, signal
        kept = [bytearray(50_000) for _ in range(1000)]
        ctypes.CDLL({str(shared)!r})
        print("ready", flush=True)
        signal.pause()"""
    with running(Path(sys.executable), "-c", code.replace("\n        ", "\n")) as program:
        report = memory(open_target(program.pid))
        name = Path(f"/proc/{program.pid}/exe").readlink().name
    largest = report.surprises[0]
    assert largest.part == "C" and largest.bytes > 45 << 20
    assert f"{name}, which loaded the Go program, has its own there" in largest.change


@pytest.mark.parametrize("go", matrix())
def test_a_library_in_a_c_program(go: str, tmp_path: Path) -> None:
    shared = named(tmp_path, "one", library(go, "one"))
    with running(host(tmp_path / "host"), str(shared), "one") as program:
        target = open_target(program.pid)
        assert target.program.elf.shown_as == str(shared) and not target.beside
        check(target, program, "one", symbols=True)
        check_c(target, program)
        report = goroutines(target)
        assert any(g.function == "main.Address_one.func1" for g in report.goroutines), report
        census = heap_census(target)
        assert census.self_check.popcount_mismatches == 0
        assert census.program == str(shared) and census.beside == ()
        told = maps(target)
        assert {r.kind for r in told.map} >= {Kind.HEAP, Kind.TEXT, Kind.LIBRARY}
        assert not told.contradictions
        ran = goprobe("where", str(program.pid), program["one.text"])
        assert ran.code == 0 and "main.known in .text" in ran.text
        assert f"read is the Go program {shared}, which is loaded into" in ran.err


def test_two_go_programs_in_one_process(tmp_path: Path) -> None:
    go = matrix()[-1]
    one = named(tmp_path, "one", library(go, "one"))
    two = named(tmp_path, "two", library(go, "two", flags=STRIPPED))
    with running(host(tmp_path / "host"), str(one), "one", str(two), "two") as program:
        for image, other in ((one, two), (two, one)):
            target = open_target(program.pid, image=image.name)
            assert target.program.elf.shown_as == str(image)
            assert [i.path for i in target.beside] == [str(other)]
            check(target, program, "one", symbols=True)
            check(target, program, "two", symbols=False)
            check_c(target, program)
            theirs = ask(target, program, other.stem.removeprefix("lib"))
            assert all(w.detail["program"] == other.name for w in theirs.values())
            assert all("another Go program" in " ".join(w.evidence) for w in theirs.values())
            assert heap_census(target).self_check.popcount_mismatches == 0
            told = maps(target)
            assert not told.contradictions
            heaps = [r for r in told.map if r.kind == Kind.HEAP]
            for name in ("one", "two"):
                at = program.address(f"{name}.heap")
                assert any(int(r.low) <= at < int(r.high) for r in heaps)
        first = open_target(program.pid)
        assert {first.program.elf.shown_as, *(i.path for i in first.beside)} == {str(one), str(two)}
        with pytest.raises(UsageError, match="holds no Go program nosuch"):
            open_target(program.pid, image="nosuch")
        ran = goprobe("heap", str(program.pid), "--image", two.name, "--json")
        assert (ran.json["program"], ran.json["beside"]) == (str(two), [str(one)])
        assert f"--image {one.name} reads it" in ran.err


@pytest.mark.parametrize("go", matrix())
def test_an_archive_in_a_c_program(go: str, tmp_path: Path) -> None:
    archive = library(go, "one", mode="c-archive")
    for options in ((), ("-static",), ("-no-pie", "-Wl,--strip-all")):
        binary = host(tmp_path / "host", archive, *options)
        with running(binary, "x", "one") as program:
            target = open_target(program.pid)
            assert target.program.elf.shown_as == str(binary)
            check(target, program, "one", symbols="-Wl,--strip-all" not in options)
            assert heap_census(target).self_check.popcount_mismatches == 0
            assert not maps(target).contradictions
            check_c(target, program)


def test_a_library_whose_file_is_gone(tmp_path: Path) -> None:
    """Root still gets at it, and others are told."""
    shared = named(tmp_path, "one", library(matrix()[-1], "one"))
    with running(host(tmp_path / "host"), str(shared), "one") as program:
        shared.unlink()
        if os.geteuid() == 0:
            target = open_target(program.pid)
            check(target, program, "one", symbols=True)
            assert target.program.elf.shown_as == f"{shared} (deleted)"
        else:
            with pytest.raises(NotGoError):
                open_target(program.pid)
        # Another file in its place is not taken for it.
        os.link(library(matrix()[-1], "two", flags=STRIPPED), shared)
        if os.geteuid() == 0:
            check(open_target(program.pid), program, "one", symbols=True)


PYTHON = """
import ctypes, sys, time
library = ctypes.CDLL(sys.argv[1])
library.Address_one.restype = ctypes.c_uint64
for index, what in enumerate(("text", "data", "heap")):
    print(f"one.{what} {library.Address_one(ctypes.c_long(index)):#x}")
print("ready", flush=True)
time.sleep(3600)
"""


def test_a_library_in_python(tmp_path: Path) -> None:
    shared = named(tmp_path, "one", library(matrix()[-1], "one"))
    with running(Path(sys.executable), "-c", PYTHON, str(shared)) as program:
        check(open_target(program.pid), program, "one", symbols=True)


def test_a_program_that_the_loader_runs(tmp_path: Path) -> None:
    """/proc/PID/exe is ld.so then, and the program one of its libraries."""
    binary = host(tmp_path / "host", library(matrix()[-1], "one", mode="c-archive"))
    with running(binary, "x", "one") as program:
        maps_of = read_maps(program.pid)
    loader = next(m.path for m in maps_of if "/ld-" in m.path)
    with running(Path(loader), str(binary), "x", "one") as program:
        target = open_target(program.pid)
        assert target.program.elf.shown_as == str(binary)
        check(target, program, "one", symbols=True)


@pytest.mark.parametrize("strange", ["a\nb", "a b", "a (deleted)", "ä\u202e", "x" * 200])
def test_names_do_not_decide_where_a_program_is(strange: str, tmp_path: Path) -> None:
    """The kernel escapes what it writes into /proc/PID/maps; a PIE is placed by its entry."""
    binary = host(tmp_path / "host", library(matrix()[-1], "one", mode="c-archive"))
    moved = tmp_path / strange
    os.link(binary, moved)
    with running(moved, "x", "one") as program:
        check(open_target(program.pid), program, "one", symbols=True)


def test_a_process_without_go_is_said() -> None:
    with running(Path("/bin/sh"), "-c", "echo ready; sleep 100 & wait") as program:
        with pytest.raises(NotGoError, match="is not a Go program"):
            open_target(program.pid)
        ran = goprobe("where", str(program.pid), "0x400000")
        assert ran.code == 2 and "is not a Go program" in ran.err
