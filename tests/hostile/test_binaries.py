"""Binaries whose parts lie: an answer in time and memory, or a sentence that says why not."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path

import pytest

from goprobe.analysis.goroutines.goroutines import goroutines
from goprobe.analysis.locate.where import where
from goprobe.binary.dwarf.dieindex import AT_TYPE, integer
from goprobe.binary.dwarf.gotypes import GoKind
from goprobe.binary.elf.elf import ElfFile
from goprobe.binary.pcln.format import FUNCDATA_INL_TREE, INLINED, PCDATA_INL_TREE_INDEX
from goprobe.runtime.image.program import GoProgram
from goprobe.target.core import open_core
from scripts.fuzzing.layout import Part, layout_of
from scripts.fuzzing.questions import OF_PROCESS, OF_PROGRAM, Asked
from scripts.fuzzing.standing import PROGRAM, Standing
from tests.hostile.measured import Cost, asked
from tests.support.go import build, matrix

ZEROS = 768 << 20  # bytes, in one of them
UNCOMPRESSED = ("-ldflags=-compressdwarf=false",)


class Bytes:
    """A binary's bytes, to be changed by section."""

    def __init__(self, binary: Path, folder: Path) -> None:
        self.data = bytearray(binary.read_bytes())
        self._parts = {part.name: part for part in layout_of(bytes(self.data)).parts}
        self._folder = folder

    def part(self, name: str) -> Part:
        return self._parts[name]

    def fill(self, name: str, pattern: bytes) -> None:
        part = self.part(name)
        self.data[part.at : part.at + part.size] = (pattern * (part.size // len(pattern) + 1))[
            : part.size
        ]

    def replace(self, name: str, content: bytes, *, compressed: bool = False) -> None:
        """Other contents, at the end of the file."""
        header, at = self.part(name).header, len(self.data)
        self.data += content
        (flags,) = struct.unpack_from("<Q", self.data, header + 8)
        struct.pack_into("<Q", self.data, header + 8, flags & ~0x800 | 0x800 * compressed)
        struct.pack_into("<QQ", self.data, header + 24, at, len(content))

    def path(self) -> Path:
        path = self._folder / "damaged"
        path.write_bytes(self.data)
        return path


@pytest.fixture(params=matrix())
def plain(request: pytest.FixtureRequest, tmp_path: Path) -> Bytes:
    return Bytes(build(PROGRAM, go=request.param), tmp_path)


@pytest.fixture(params=matrix())
def loose(request: pytest.FixtureRequest, tmp_path: Path) -> Bytes:
    """Its debug information is not compressed."""
    return Bytes(build(PROGRAM, go=request.param, flags=UNCOMPRESSED), tmp_path)


def every(path: Path) -> dict[str, Cost]:
    """All that is asked of a binary on disk, each with a fresh cache of its own."""
    found = {}
    for name, ask in OF_PROGRAM.items():
        found[name] = asked(partial(_quietly, ask, path))
    return found


def _quietly(ask: Callable[[GoProgram], object], path: Path) -> None:
    ask(GoProgram(ElfFile(path)))


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@cache
def _zeros() -> bytes:
    packer, zeros = zlib.compressobj(9), bytes(1 << 20)
    return b"".join(packer.compress(zeros) for _ in range(ZEROS >> 20)) + packer.flush()


def packed(claimed: int) -> bytes:
    """Zeros, compressed, under a header that claims another size."""
    return struct.pack("<IIQQ", 1, 0, claimed, 1) + _zeros()


@pytest.mark.parametrize("claimed", [0, 1, 1 << 31, 6 << 30, (1 << 64) - 1])
def test_sections_that_grow_beyond_measure(plain: Bytes, claimed: int) -> None:
    plain.replace(".debug_info", packed(claimed), compressed=True)
    every(plain.path())


def test_a_compressed_section_without_its_header(plain: Bytes) -> None:
    plain.replace(".debug_abbrev", b"\1\0\0\0", compressed=True)
    assert "cut short" in every(plain.path())["facts"].refused


@pytest.mark.parametrize(
    "name", [".shstrtab", ".strtab", ".debug_str", ".debug_line_str", ".gopclntab"]
)
def test_strings_without_an_end(loose: Bytes, name: str) -> None:
    try:
        loose.part(name)
    except KeyError:
        pytest.skip(f"this Go writes no {name}")
    loose.fill(name, b"A")
    every(loose.path())


def test_an_abbreviation_table_for_each_unit(loose: Bytes) -> None:
    """Each unit's begins a little further on in one enormous table."""
    abbrevs = b"\x01\x11\x00\x03\x08\x00\x00" * 150_000
    units = b"".join(struct.pack("<IHIB", 9, 4, 7 * i, 8) + b"\x01\x00" for i in range(100_000))
    loose.replace(".debug_abbrev", abbrevs)
    loose.replace(".debug_info", units)
    assert every(loose.path())["facts"].refused


def test_types_that_hold_themselves(loose: Bytes) -> None:
    """Every field of every struct is said to be of that struct's own type."""
    path = loose.path()
    debug = GoProgram(ElfFile(path)).debug
    info, changed = loose.part(".debug_info"), 0
    for offset in debug.index.types.values():
        die = debug.die(offset)
        if debug.types.at(offset).kind is not GoKind.STRUCT:
            continue
        for child in debug.children(die):
            target = integer(child.attributes, AT_TYPE)
            at = loose.data.find(struct.pack("<I", target), info.at + child.offset)
            if target and at < info.at + child.offset + 200:
                struct.pack_into("<I", loose.data, at, offset)
                changed += 1
    assert changed > 1000
    every(loose.path())


def test_names_that_are_all_the_same_long_one(loose: Bytes) -> None:
    """References into the table of strings, of which there are many to each string."""
    loose.replace(".strtab", b"\0" + b"x" * 60_000 + b"\0" * 2_000_000)
    table = loose.part(".symtab")
    for at in range(table.at, table.at + table.size - 24, 24):
        struct.pack_into("<I", loose.data, at, 1)
    every(loose.path())


@pytest.mark.parametrize("address", [1 << 63, (1 << 64) - 4096, 1 << 60])
def test_sections_and_segments_at_no_address(plain: Bytes, address: int) -> None:
    struct.pack_into("<Q", plain.data, plain.part(".text").header + 16, address)
    for cost in every(plain.path()).values():
        assert "no address" in cost.refused


def test_a_corrupt_line_table(plain: Bytes) -> None:
    part = plain.part(".gopclntab")
    middle = part.at + part.size // 2
    plain.data[middle : middle + part.size // 4] = b"\x80" * (part.size // 4)
    for cost in every(plain.path()).values():
        assert not cost.refused or "corrupt" in cost.refused or "cannot be read" in cost.refused


@pytest.mark.parametrize("question", ["where", "maps", "goroutines", "heap --types", "stop"])
def test_a_running_process_whose_binary_lies(
    stood: Standing, tmp_path: Path, question: str
) -> None:
    """What a container's process shows in /proc/PID/exe need not be what it runs."""
    binary = Bytes(build(PROGRAM, go=stood.go, flags=UNCOMPRESSED), tmp_path)
    for name, pattern in (
        (".debug_info", b"\x01\x80"),
        (".gopclntab", b"\xff"),
        (".symtab", b"\x41"),
    ):
        damaged = Bytes(stood.binary, tmp_path) if name == ".gopclntab" else binary
        at = damaged.part(name).at + damaged.part(name).size // 3
        size = damaged.part(name).size // 3
        damaged.data[at : at + size] = (pattern * size)[:size]
        path = damaged.path()

        def ask(path: Path = path) -> None:
            target = open_core(str(stood.core), str(path))
            OF_PROCESS[question](Asked(target, stood.addresses, stood.objects[0]))

        asked(ask)


def test_a_line_table_that_the_symbols_contradict_is_told_to(
    stood: Standing, tmp_path: Path
) -> None:
    """One name in it is another one."""
    binary = Bytes(stood.binary, tmp_path)
    whole = ElfFile(stood.binary)
    lines = GoProgram(whole).lines
    parked = lines.function_named("runtime.gopark")
    assert parked
    table, name = binary.part(".gopclntab"), parked.name.encode() + b"\0"
    at = bytes(binary.data).index(b"\0" + name, table.at) + 1
    assert at < table.at + table.size
    binary.data[at : at + 9] = b"runtimX.g"
    target = open_core(str(stood.core), str(binary.path()))
    report = goroutines(target)
    assert any("runtimX.gopark" in g.function for g in report.goroutines)
    told = "; ".join(report.doubts)
    assert "contradicts itself: the line table has runtimX.gopark at 0x" in told, told
    assert "the symbol table runtime.gopark" in told
    located = where(open_core(str(stood.core), target.program.elf.path), [parked.entry + 5])
    assert any("the symbol table runtime.gopark" in doubt for doubt in located.doubts)
    honest = goroutines(open_core(str(stood.core), str(stood.binary)))
    assert honest.doubts == ()


def _table_at(elf: ElfFile, binary: Bytes, address: int) -> int:
    """Where in the file something of the line table, or of what it points to, lies."""
    section = next(s for s in elf.sections if 0 <= address - s.address < s.size)
    return binary.part(section.name).at + address - section.address


@pytest.mark.parametrize("how", ["another", "within", "outside"])
def test_the_name_of_an_inlined_call_is_held_against_the_functions_own(
    stood: Standing, tmp_path: Path, how: str
) -> None:
    binary, whole = Bytes(stood.binary, tmp_path), ElfFile(stood.binary)
    lines = GoProgram(whole).lines
    parked = lines.function_named("runtime.gopark")
    inlined = lines.name_offset("runtime.goparkunlock")
    assert parked and inlined > 0
    new = {"another": parked.name_offset, "within": inlined + 3, "outside": 1 << 30}[how]
    changed = 0
    for function in lines.functions():
        runs = lines.pcdata_runs(function, PCDATA_INL_TREE_INDEX)
        for index in range(max(runs.values, default=-1) + 1):
            if lines.inlined_call(function, index).name_offset == inlined:
                tree = lines.funcdata(function, FUNCDATA_INL_TREE)
                at = _table_at(whole, binary, tree + INLINED.size * index) + 4
                struct.pack_into("<i", binary.data, at, new)
                changed += 1
    assert changed
    report = goroutines(open_core(str(stood.core), str(binary.path())), stacks=True)
    told = "; ".join(report.doubts)
    assert {
        "another": "the line table has runtime.gopark, declared at line ",
        "within": "the name of the call inlined at 0x",
        "outside": "",
    }[how] in told, told
    names = {frame.function for g in report.groups for frame in g.frames}
    assert "runtime.goparkunlock" not in names


def test_a_function_whose_name_lies_outside_of_the_table(stood: Standing, tmp_path: Path) -> None:
    binary, whole = Bytes(stood.binary, tmp_path), ElfFile(stood.binary)
    lines = GoProgram(whole).lines
    parked = lines.function_named("runtime.gopark")
    assert parked
    at = binary.part(".gopclntab").at + lines.header.functab + parked.offset
    struct.pack_into("<i", binary.data, at + 4, 1 << 30)
    report = goroutines(open_core(str(stood.core), str(binary.path())), stacks=True)
    assert "runtime.gopark" not in {frame.function for g in report.groups for frame in g.frames}
    assert any("a name lies outside of it" in doubt for doubt in report.doubts), report.doubts
    struct.pack_into("<I", binary.data, at, 1)  # nor does its entry fit the index
    program = GoProgram(ElfFile(binary.path()))
    assert program.lines.function_name_at(parked.entry) == ""
    assert program.lines.function_name_at(lines.low) == lines.function(0).name
