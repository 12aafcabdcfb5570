"""Types of objects that are known by a pointer into their middle, or to nobody but the runtime."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from goprobe.analysis.heap.graph import HeapGraph
from goprobe.analysis.heap.heap import report_on
from goprobe.analysis.heap.questions import HeapQuestions
from goprobe.analysis.heap.snapshot import take
from goprobe.binary.dwarf.expression import Piece
from goprobe.binary.dwarf.loclist import LocationEntry
from goprobe.binary.elf.elf import ElfFile
from goprobe.runtime.image.program import GoProgram
from goprobe.runtime.values.spilled import parts_in_memory
from goprobe.target.live import open_target
from tests.support.cli import goprobe
from tests.support.go import build, has_gcc, matrix, running
from tests.support.heap import TESTDATA

BUILDS = {
    "plain": (),
    "unoptimized": ("-gcflags=all=-N -l",),
    "pie": ("-buildmode=pie",),
    "stripped": ("-ldflags=-s -w",),
}


def _told(
    program: str, go: str, flags: tuple[str, ...], env: dict[str, str] | None = None
) -> list[tuple[str, list[str]]]:
    """What is told of each object that a program names, and what may be said of it."""
    with running(build(TESTDATA / program, go=go, flags=flags, env=env)) as process:
        said = [line.split(" ", 2)[1:] for line in process.lines if line.startswith("obj ")]
        snapshot = take(open_target(process.pid))
        try:
            graph = HeapGraph(snapshot, lambda message: None)
            report = report_on(graph, HeapQuestions(types=True, retained=True))
            assert all(audited.holds for audited in report.audit)
            return [
                (graph.type_name(graph.node_at(int(at, 16))), what.split(" | "))
                for at, what in said
            ]
        finally:
            snapshot.close()


@pytest.mark.parametrize("go", matrix())
@pytest.mark.parametrize("flags", BUILDS.values(), ids=BUILDS)
def test_objects_without_a_pointer_to_their_beginning(go: str, flags: tuple[str, ...]) -> None:
    told = _told("innards.go", go, flags)
    wrong = [(name, what) for name, what in told if name and name not in what]
    assert not wrong
    untyped = Counter(what[0] for name, what in told if not name)
    if "-ldflags=-s -w" not in flags:
        # Until Go 1.23 nothing but code says what a closure captured, ever what a method value has.
        assert not untyped
        assert ("main.derived", ["main.derived", "main.base or main.derived"]) in told
    else:  # What blocked goroutines send is known, and what pools and timers keep
        assert not {"main.answer", "string data", "[]*main.page backing"} & set(untyped)


@pytest.mark.parametrize("go", matrix()[-1:])
@pytest.mark.skipif(not has_gcc(), reason="-asan needs gcc")
def test_bytes_that_asan_puts_behind_objects_are_not_theirs(go: str, tmp_path: Path) -> None:
    """Each was two of its type: an array."""
    asan = ("-asan",), {"CGO_ENABLED": "1"}
    told = _told("innards.go", go, *asan)
    sure = [(n, what) for n, what in told if not n.startswith("object ") and " or " not in n]
    assert not [(name, what) for name, what in sure if name not in ("", *what)]
    assert ("main.handler", ["main.handler"]) in told
    with running(build(TESTDATA / "innards.go", go=go, flags=asan[0], env=asan[1])) as process:
        refused = goprobe("heap", str(process.pid), "--waste")
        assert refused.code == 2 and "built with -asan" in refused.err
        assert goprobe("report", str(process.pid), "-o", str(tmp_path)).code == 0
    assert "built with -asan" in (tmp_path / "heap.html").read_text()


@pytest.mark.parametrize("go", matrix())
@pytest.mark.skipif(not has_gcc(), reason="-asan needs gcc")
def test_descriptors_made_at_run_time_are_no_arrays_with_asan(go: str) -> None:
    """What a pointer leads to that is of a part of their type (*reflect.rtype) has room for two."""
    with running(
        build(TESTDATA / "structof.go", go=go, flags=("-asan",), env={"CGO_ENABLED": "1"})
    ) as process:
        told = goprobe("heap", str(process.pid), "--types", "-v")
    assert b"reflect.structTypeUncommon" in told.out
    assert b"[]reflect.rtype backing" not in told.out


@pytest.mark.parametrize("go", matrix())
@pytest.mark.parametrize("flags", (BUILDS["plain"], BUILDS["stripped"]), ids=("plain", "stripped"))
def test_types_made_at_run_time_and_arrays_inside_of_structs(
    go: str, flags: tuple[str, ...]
) -> None:
    """What reflect makes is named as reflect names it; a slice of an array within an object says
    nothing of what lies before it (it once made pointers there closures)."""
    told = _told("made.go", go, flags)
    assert len(told) == 15
    assert told[14][0] == "main.item"  # by its finalizer
    assert not [(name, what) for name, what in told if name and name not in what]
    if "-ldflags=-s -w" not in flags:  # those have no types of package-level variables
        assert all(name for name, _ in told)


@pytest.mark.parametrize("go", matrix())
def test_the_data_of_an_interface_whose_first_word_is_not_kept(go: str) -> None:
    """The debug information gives the place of its data as the whole interface's: the next
    variable is not its data."""
    told = _told("lonedata.go", go, ())
    assert len(told) == 4
    assert not [(name, what) for name, what in told if name and name not in what]
    debug = GoProgram(ElfFile(build(TESTDATA / "lonedata.go", go=go))).debug
    function = next(f for f in debug.index.functions if f.name == "main.wait")
    held = next(
        local
        for scope in debug.scopes(function, function.low)
        for local in scope.locals
        if local.name == "held"
    )
    kind = debug.types.at(held.type)
    stored = [Piece(address=64)]
    found = list(parts_in_memory(debug.types, "held", kind, stored, held.locations, {}))
    assert [(part.size, part.type) for part in found] == [(8, None)]
    always = [LocationEntry(0, 1 << 64, b"\x91\x40")]
    found = list(parts_in_memory(debug.types, "held", kind, stored, always, {}))
    assert [(part.size, part.type) for part in found] == [(16, kind)]


@pytest.mark.parametrize("go", matrix())
@pytest.mark.parametrize("flags", (BUILDS["plain"], BUILDS["unoptimized"]), ids=("plain", "noopt"))
def test_the_words_of_a_variable_in_different_places(go: str, flags: tuple[str, ...]) -> None:
    """Its interface's type word tells what its data word points at, wherever both lie; the compiler
    itself calls that a *uint8 (Go 1.27 has entries of single words: "x.data")."""
    told = _told("wordsapart.go", go, flags)
    assert len(told) == 11
    assert [(name, what) for name, what in told if name not in what] == []


def test_a_slice_that_is_nowhere() -> None:
    debug = GoProgram(ElfFile(build(TESTDATA / "wordsapart.go"))).debug
    kind = debug.type_named("[]main.node")
    assert list(parts_in_memory(debug.types, "s", kind, (), (), {})) == []


@pytest.mark.parametrize("go", matrix())
@pytest.mark.parametrize("flags", (BUILDS["plain"], BUILDS["unoptimized"]), ids=("plain", "noopt"))
def test_variables_that_were_in_registers_until_the_call(go: str, flags: tuple[str, ...]) -> None:
    """While a goroutine waits in a call its variables lie in the frame alone, which the debug
    information says of the instruction behind the call; but not of one that never returns: what
    lies there is another path's (`panicking` holds a main.page where that one has a main.row)."""
    told = _told("heldovercalls.go", go, flags)
    assert len(told) == 6
    assert [(name, what) for name, what in told if name not in what] == []
