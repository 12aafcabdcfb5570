"""The debug information as goprobe reads it, against pyelftools and the symbol table."""

from __future__ import annotations

from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile

from goprobe.binary.dwarf import dieindex
from goprobe.binary.dwarf.gotypes import GoKind
from goprobe.binary.dwarf.info import DebugInfo
from goprobe.binary.elf.elf import ElfFile
from goprobe.errors import NotGoError, UsageError
from goprobe.runtime.layout.fields import ROOTS
from goprobe.runtime.layout.layout import layout_from_debug, roots_from_debug
from tests.support.go import build, matrix

PROGRAMS = Path(__file__).parents[2] / "testdata" / "programs"
BUILDS = {"plain": ("-gcflags=all=-N -l",), "optimised": (), "pie": ("-buildmode=pie",)}


def structs_by_pyelftools(path: Path) -> dict[str, tuple[int, list[tuple[str, int]]]]:
    """Every Go struct: its size and its fields with their offsets."""
    found: dict[str, tuple[int, list[tuple[str, int]]]] = {}
    with path.open("rb") as file:
        for unit in ELFFile(file).get_dwarf_info().iter_CUs():
            for die in unit.get_top_DIE().iter_children():
                if die.tag != "DW_TAG_structure_type" or "DW_AT_name" not in die.attributes:
                    continue
                fields = [
                    (
                        m.attributes["DW_AT_name"].value.decode(),
                        m.attributes["DW_AT_data_member_location"].value,
                    )
                    for m in die.iter_children()
                    if m.tag == "DW_TAG_member"
                ]
                name = die.attributes["DW_AT_name"].value.decode("utf-8", "replace")
                found.setdefault(name, (die.attributes["DW_AT_byte_size"].value, fields))
    return found


@pytest.mark.parametrize("go", matrix())
@pytest.mark.parametrize("flags", BUILDS.values(), ids=BUILDS.keys())
def test_every_struct_is_as_pyelftools_reads_it(go: str, flags: tuple[str, ...]) -> None:
    binary = build(PROGRAMS / "structs.go", go=go, flags=flags)
    expected = structs_by_pyelftools(binary)
    debug = DebugInfo(ElfFile(binary))
    assert len(expected) > 100
    for name, (size, fields) in expected.items():
        kind = debug.type_named(name)
        assert (kind.size, [(m.name, m.offset) for m in kind.members]) == (size, fields), name


@pytest.mark.parametrize("go", matrix())
def test_functions_are_where_the_symbol_table_has_them(go: str) -> None:
    elf = ElfFile(build(PROGRAMS / "structs.go", go=go))
    debug = DebugInfo(elf)
    # An assembly function and its wrapper for the other calling convention share a name.
    symbols: dict[str, set[int]] = {}
    for s in elf.symbols:
        if s.kind == "func":
            symbols.setdefault(s.name.removesuffix(".abi0"), set()).add(s.address)
    both = [f for f in debug.index.functions if f.name in symbols]
    assert len(both) > 1000
    wrong = [f.name for f in both if f.low not in symbols[f.name]]
    assert not wrong


@pytest.mark.parametrize("go", matrix())
@pytest.mark.parametrize("flags", BUILDS.values(), ids=BUILDS.keys())
def test_what_is_asked_of_the_runtime_needs_no_index(go: str, flags: tuple[str, ...]) -> None:
    """It is what the index has, and the units' own ranges say whose code is whose."""
    elf = ElfFile(build(PROGRAMS / "structs.go", go=go, flags=flags))
    debug, indexed = DebugInfo(elf), DebugInfo(elf)
    functions = [f for f in indexed.index.functions if not f.name.startswith("type:.")]
    layout, roots = layout_from_debug(debug, go), roots_from_debug(debug)
    units = [debug.units.with_code(f.low) for f in functions]
    assert "index" not in vars(debug)
    assert layout == layout_from_debug(indexed, go)
    assert roots.items() >= {
        (g.name.removeprefix("runtime."), g.address)
        for g in indexed.index.globals
        if g.name.removeprefix("runtime.") in ROOTS
    }
    assert units == [indexed.unit_at(f.offset) for f in functions]


@pytest.mark.parametrize("go", matrix())
def test_globals_are_where_the_symbol_table_has_them(go: str) -> None:
    elf = ElfFile(build(PROGRAMS / "globals.go", go=go))
    debug = DebugInfo(elf)
    symbols = {s.name: s for s in elf.symbols if s.kind == "object"}
    own = [g for g in debug.index.globals if g.name.startswith("main.") and g.name in symbols]
    assert own
    for g in own:
        assert g.address == symbols[g.name].address, g.name
        size = debug.types.at(g.type).size
        assert size in (symbols[g.name].size, 0) or symbols[g.name].size == 0, g.name
    assert any(debug.types.at(g.type).size == symbols[g.name].size > 0 for g in own)


@pytest.mark.parametrize("go", matrix())
def test_kinds_of_go(go: str) -> None:
    debug = DebugInfo(ElfFile(build(PROGRAMS / "structs.go", go=go)))
    for name, kind, size in (
        ("int", GoKind.INT, 8),
        ("string", GoKind.STRING, 16),
        ("bool", GoKind.BOOL, 1),
        ("[]uint8", GoKind.SLICE, 24),
        ("*runtime.g", GoKind.POINTER, 8),
        ("error", GoKind.INTERFACE, 16),
        ("runtime.mspan", GoKind.STRUCT, None),
        ("func()", GoKind.FUNC, 8),
    ):
        found = debug.type_named(name)
        assert found.kind == kind
        assert size is None or found.size == size


def test_the_index_is_the_same_from_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    binary = build(PROGRAMS / "structs.go")
    first, second = DebugInfo(ElfFile(binary)).index, DebugInfo(ElfFile(binary)).index
    assert first == second == dieindex.build_index(ElfFile(binary))
    assert any(tmp_path.rglob("*")), "nothing was cached"


@pytest.mark.parametrize("at", range(0, 4000, 97))
def test_damaged_debug_information_is_one_error(at: int, tmp_path: Path) -> None:
    original = build(PROGRAMS / "ints.go", flags=("-ldflags=-compressdwarf=false",))
    elf = ElfFile(original)
    section = elf.section(".debug_info")
    assert section is not None
    data = bytearray(original.read_bytes())
    place = section.offset + at * section.size // 4000
    data[place : place + 4] = b"\xff\xff\xff\xff"
    damaged = tmp_path / "damaged"
    damaged.write_bytes(data)
    try:
        index = dieindex.build_index(ElfFile(damaged))
        debug = DebugInfo(ElfFile(damaged))
        for offset in list(index.types.values())[:200]:
            debug.types.at(offset)
    except (NotGoError, UsageError):
        pass


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"", NotGoError),
        (b"hello", NotGoError),
        (b"\x7fELF", NotGoError),
        (b"\x7fELF" + bytes([2, 1]) + bytes(58), UsageError),
        (b"\x7fELF" + bytes([2, 1, 1]) + bytes(9) + b"\x02\0\x3e\0" + b"\xff" * 44, NotGoError),
    ],
)
def test_what_is_no_elf_is_said(content: bytes, error: type[Exception], tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(error):
        ElfFile(path).symbol_at(0)
