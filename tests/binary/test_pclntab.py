"""The line table against its witnesses: `go tool nm` and `addr2line`, DWARF as pyelftools reads it,
the compiler's own listing, and what a running program says of its stack."""

from __future__ import annotations

import os
import re
import struct
import subprocess
from collections.abc import Iterator
from copy import copy
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from elftools.dwarf.callframe import FDE
from elftools.elf.elffile import ELFFile

from goprobe.binary.elf.elf import ElfFile
from goprobe.binary.pcln.find import find_module_head, open_line_table
from goprobe.binary.pcln.format import (
    FUNCDATA_ARGS_POINTER_MAPS,
    FUNCDATA_LOCALS_POINTER_MAPS,
    FUNCDATA_STACK_OBJECTS,
    PCDATA_STACK_MAP_INDEX,
    Function,
    shown_name,
    without_type_arguments,
)
from goprobe.binary.pcln.stackmap import frame_maps, stack_objects
from goprobe.binary.pcln.table import LineTable
from goprobe.errors import NotGoError
from tests.binary.linetables import SOURCE, binary, builds
from tests.support.go import build, matrix, running, toolchain

EVERY = pytest.mark.parametrize(("go", "kind"), builds())
_UNSAFE_POINT = 0  # internal/abi/symtab.go, PCDATA_UnsafePoint
RELEASES = pytest.mark.parametrize("go", matrix())
WITH_DWARF = pytest.mark.parametrize("kind", ["plain", "unoptimized", "pie"])


@cache
def table_of(path: Path) -> LineTable:
    return open_line_table(ElfFile(path))


def named(table: LineTable, name: str) -> Function:
    function = table.function_named(name)
    assert function, name
    return function


def line_of(text: str) -> int:
    """The number of the first line of the source with this text."""
    return next(i for i, line in enumerate(SOURCE.splitlines(), 1) if text in line)


def tool(go: str, *args: str | Path, stdin: str = "") -> str:
    return subprocess.run(
        [toolchain(go), "tool", *args], input=stdin, capture_output=True, text=True, check=True
    ).stdout


# -- functions ------------------------------------------------------------------------------------


@WITH_DWARF
@RELEASES
def test_functions_are_those_of_nm(go: str, kind: str) -> None:
    path = binary(go, kind)
    rows = (line.split(None, 2) for line in tool(go, "nm", path).splitlines())
    symbols = {
        int(row[0], 16): row[2].removesuffix(".abi0").replace("·", ".")
        for row in rows
        if len(row) == 3 and row[1] in "tT"
    }
    table = table_of(path)
    ours = {f.entry: f.name.replace("·", ".") for f in table.functions()}
    assert len(ours) == len(table) > 1000
    # Two of the linker's symbols are no functions; runtime.text stands where the first one does.
    assert {symbols[a] for a in symbols.keys() - ours.keys()} == {"runtime.etext"}
    assert not ours.keys() - symbols.keys()
    assert {a: n for a, n in ours.items() if symbols[a] not in (n, "runtime.text")} == {}


@EVERY
def test_every_build_knows_its_functions(go: str, kind: str) -> None:
    table = table_of(binary(go, kind))
    names = set(table.names())
    wanted = {"main.main", "main.outer", "main.main.func1", "main.show"}
    assert wanted | {"runtime.mallocgc", "runtime.goexit"} <= names
    lines = dict(enumerate(SOURCE.splitlines(), 1))
    shift = named(table, "main.main").start_line - line_of("func main()")
    for name in ("main", "outer", "show"):
        function = named(table, f"main.{name}")
        assert function.file.endswith("/main.go")
        assert lines[function.start_line - shift].startswith(f"func {name}(")
    generic = next(n for n in names if n.startswith("main.Map["))
    assert shown_name(generic) == "main.Map[...]"
    assert named(table, "runtime.goexit").top_frame
    assert named(table, "runtime.mcall").writes_sp
    assert named(table, "main.outer").args_size == 8


@EVERY
def test_a_pc_belongs_to_the_function_around_it(go: str, kind: str) -> None:
    table = table_of(binary(go, kind))
    for index in range(0, len(table), 37):
        function = table.function(index)
        assert table.function_at(function.entry) == function
        assert table.function_at(function.end - 1) == function
    assert table.function_at(table.low - 1) is None
    assert table.function_at(table.high) is None
    assert table.function_named("main.nothing") is None


@EVERY
def test_module_data_agrees_with_the_table(go: str, kind: str) -> None:
    elf = ElfFile(binary(go, kind))
    head = find_module_head(elf)
    table = table_of(binary(go, kind))
    assert head
    assert (head.minpc, head.maxpc) == (table.low, table.high)
    symbols = {s.name: s.address for s in elf.symbols}
    if symbols:
        assert symbols["runtime.firstmoduledata"] == head.address
        assert symbols["runtime.text"] == head.text == table.text
        assert symbols["go:func.*"] == head.gofunc == table.gofunc
        assert symbols["runtime.rodata"] == head.rodata == table.rodata


@RELEASES
def test_a_table_is_found_without_section_headers(go: str, tmp_path: Path) -> None:
    for kind in ("stripped", "stripped-pie", "pie"):
        whole = table_of(binary(go, kind))
        raw = bytearray(binary(go, kind).read_bytes())
        raw[40:48] = bytes(8)  # e_shoff
        raw[60:62] = bytes(2)  # e_shnum
        path = tmp_path / kind
        path.write_bytes(raw)
        found = open_line_table(ElfFile(path))
        assert (found.text, found.gofunc) == (whole.text, whole.gofunc)
        assert named(found, "main.main").entry == named(whole, "main.main").entry


def test_other_files_have_no_table() -> None:
    with pytest.raises(NotGoError, match="no Go line table"):
        open_line_table(ElfFile("/bin/sh"))


# -- source positions -----------------------------------------------------------------------------


def dwarf_units(path: Path, only: str) -> Iterator[tuple[Any, Any]]:
    with path.open("rb") as file:
        info = ELFFile(file).get_dwarf_info()
        for unit in info.iter_CUs():
            name = unit.get_top_DIE().attributes["DW_AT_name"].value.decode()
            program = info.line_program_for_CU(unit)
            if program is not None and re.fullmatch(only, name):
                yield unit, program


def dwarf_file(unit: Any, program: Any, number: int) -> str:
    first = 0 if program["version"] >= 5 else 1
    entry = program["file_entry"][number - first]
    name: str = entry.name.decode()
    if name.startswith("/") or entry.dir_index < first:
        return name
    folder: str = program["include_directory"][entry.dir_index - first].decode()
    return f"{folder}/{name}".removeprefix("./")


def dwarf_rows(path: Path, only: str) -> Iterator[tuple[str, int, int, int]]:
    """(file, line, low pc, high pc) of the line programs of the packages named."""
    for unit, program in dwarf_units(path, only):
        before = None
        for entry in program.get_entries():
            state = entry.state
            if state is None:
                continue
            if before and not before.end_sequence and before.address != state.address:
                file = dwarf_file(unit, program, before.file)
                yield file, before.line, before.address, state.address
            before = copy(state)


@WITH_DWARF
@RELEASES
def test_positions_are_those_of_dwarf(go: str, kind: str) -> None:
    path = binary(go, kind)
    table = table_of(path)
    seen = 0
    for file, line, low, _ in dwarf_rows(path, "main|runtime|fmt|sort|internal/.*"):
        function = table.function_at(low)
        assert function
        assert table.position(function, low) == (file, line), f"{function.name} {low:#x}"
        seen += 1
    assert seen > 20_000


# Of stripped cgo and PIE binaries this tool finds no table, or takes .text's start for Go's.
@pytest.mark.parametrize("kind", ["plain", "unoptimized", "pie", "stripped"])
@RELEASES
def test_positions_are_those_of_addr2line(go: str, kind: str) -> None:
    path = binary(go, kind)
    table = table_of(path)
    pcs = [f.entry + (f.end - f.entry) // 3 for f in list(table.functions())[::23]]
    assert len(pcs) > 20
    out = tool(go, "addr2line", path, stdin="".join(f"{pc:#x}\n" for pc in pcs)).splitlines()
    for pc, name, place in zip(pcs, out[::2], out[1::2], strict=True):
        function = table.function_at(pc)
        assert function and function.name == name
        file, line = table.position(function, pc)
        # It prints lines below zero, which the compiler gives to code without a position.
        assert place in (f"{file}:{line}", "?:0") or (line == 0 and re.search(r":-\d+$", place))


@EVERY
def test_inlined_frames_are_those_that_the_program_sees(go: str, kind: str) -> None:
    table = table_of(binary(go, kind))
    with running(binary(go, kind)) as program:
        bias = program.address("main") - named(table, "main.main").entry
        frames = [line.split(" ", 3)[1:] for line in program.lines if line.startswith("frame ")]
    live = table.rebased(bias)
    inlined = 0
    assert len(frames) > 20
    for address, line, place in frames:
        function = live.function_at(int(address, 16))
        assert function
        file, _, name = place.partition(":")
        stack = live.inline_stack(function, int(address, 16))
        got = stack[0]
        assert (shown_name(got.function), got.file, got.line) == (name, file, int(line))
        assert not stack[-1].inlined and stack[-1].function == function.name
        inlined += got.inlined
    assert inlined >= (0 if kind == "unoptimized" else 2)
    assert (bias != 0) == ("pie" in kind)


# -- frames and stack maps ------------------------------------------------------------------------


@WITH_DWARF
@RELEASES
def test_frame_sizes_are_those_of_the_unwind_tables(go: str, kind: str) -> None:
    path = binary(go, kind)
    table = table_of(path)
    seen = 0
    with path.open("rb") as file:
        for entry in list(ELFFile(file).get_dwarf_info().CFI_entries())[::5]:
            if not isinstance(entry, FDE):
                continue
            function = table.function_at(entry["initial_location"])
            assert function
            for row in entry.get_decoded().table if function.pcsp else ():
                assert table.frame_size(function, row["pc"]) + 8 == row["cfa"].offset
                seen += 1
    assert seen > 2_000


LISTED = """package main

type node struct {
	next *node
	name string
}

//go:noinline
func use(n *node, s []string) int { return len(n.name) + len(s) }

//go:noinline
func work(a *node, b string, n int) (total int) {
	local := node{next: a, name: b}
	list := make([]string, n)
	total = use(&local, list)
	defer func() { total += use(a, list) }()
	total += use(local.next, nil)
	return
}

func main() {
	println(work(&node{name: "x"}, "y", 3))
}
"""


def listing(path: Path, go: str) -> str:
    done = subprocess.run(
        [toolchain(go), "build", "-gcflags=-S", "-o", os.devnull, path.parent / "main.go"],
        capture_output=True,
        text=True,
        check=True,
        cwd=path.parent,
        env={**os.environ, "GOTOOLCHAIN": "local", "GOFLAGS": "", "CGO_ENABLED": "0"},
    )
    return done.stderr


def symbol_bytes(text: str) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    name = ""
    for line in text.splitlines():
        if head := re.match(r"(\S.*?) S\w+ .*size=\d+", line):
            name = head[1]
        elif row := re.match(r"\t0x[0-9a-f]{4} ((?:[0-9a-f]{2} )+)", line):
            found[name] = found.get(name, b"") + bytes.fromhex(row[1])
    return found


@RELEASES
def test_stack_maps_are_those_of_the_compilers_listing(go: str) -> None:
    path = build(LISTED, go=go)
    table = table_of(path)
    text = listing(path, go)
    contents = symbol_bytes(text)
    seen = 0
    for body in re.split(r"^(?=\S+ STEXT)", text, flags=re.MULTILINE)[1:]:
        name = body.split(" ", 1)[0]
        function = table.function_named(name) if name.startswith("main.") else None
        if function is None:
            continue
        for kind, symbol in re.findall(r"FUNCDATA\t\$([012]), (\S+)\(SB\)", body):
            at = table.funcdata(function, int(kind))
            wanted = contents[symbol]
            if int(kind) == FUNCDATA_STACK_OBJECTS:
                count, offset, size, pointers = struct.unpack_from("<Qiii", wanted)
                objects = stack_objects(table, function)
                assert len(objects) == count
                first = objects[0]
                assert (first.offset, first.size, first.pointer_bytes) == (offset, size, pointers)
                seen += 1
            else:
                assert int(kind) in (FUNCDATA_ARGS_POINTER_MAPS, FUNCDATA_LOCALS_POINTER_MAPS)
                assert table.read_funcdata(at, len(wanted)) == wanted, (name, kind, symbol)
        for kind in (_UNSAFE_POINT, PCDATA_STACK_MAP_INDEX):
            rows = re.findall(r"\t0x([0-9a-f]+) \d+ \(.*?\)\tPCDATA\t\$(\d), \$(-?\d+)", body)
            changes = {int(pc, 16): int(value) for pc, table_, value in rows if int(table_) == kind}
            for pc, value in changes.items():
                assert table.pcdata(function, kind, function.entry + pc) == value
                seen += 1
    assert seen > 10


@RELEASES
def test_a_frames_live_pointers(go: str) -> None:
    table = table_of(build(LISTED, go=go))
    work = named(table, "main.work")
    maps = frame_maps(table, work, work.entry)
    # a, and b's data pointer, in their spill slots above the return address.
    assert list(maps.arguments)[:2] == [0, 1]
    assert table.gofunc
    goexit = named(table, "runtime.goexit")
    assert list(frame_maps(table, goexit, goexit.entry).locals) == []


@pytest.mark.parametrize(
    ("name", "one", "two"),
    [
        ("main.main", "main.main", "main.main"),
        ("main.F[go.shape.int]", "main.F[...]", "main.F[...]"),
        ("main.F[go.shape.map[int]bool].func1", "main.F[...].func1", "main.F[...].func1"),
        ("main.(*T[go.shape.int]).M.func2", "main.(*T[...]).M.func2", "main.(*T[...]).M.func2"),
        (
            "main.(*T[go.shape.[]int]).M[go.shape.map[int]bool].func1",
            "main.(*T[...].func1",
            "main.(*T[...]).M[...].func1",
        ),
        ("main.A[x].B[y].C[z].func1", "main.A[...].func1", "main.A[...].B[...].func1"),
        ("a[b", "a[b", "a[b"),
        ("a]b[", "a]b[", "a]b["),
    ],
)
def test_names_are_shown_as_the_release_shows_them(name: str, one: str, two: str) -> None:
    assert shown_name(name, methods=False) == one
    assert shown_name(name) == two


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("main.main", "main.main"),
        ("main.F[...].func1", "main.F.func1"),
        ("main.(*T[go.shape.[]int]).M[go.shape.map[int]bool]", "main.(*T).M"),
        ("main.F[go.shape.func(main.T[int]) bool,go.shape.int]", "main.F"),
        ("main.F[go.shape.struct { A [2]main.B[int]; C int }].func1", "main.F.func1"),
        ("a[b", "a[b"),
    ],
)
def test_names_without_type_arguments(name: str, plain: str) -> None:
    assert without_type_arguments(name) == plain
