"""What lies where in a binary, told by its section headers and, the same, without them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from goprobe.binary.elf.elf import ElfFile
from goprobe.binary.stretches import Stretches
from goprobe.elfheaders import PT_LOAD
from goprobe.model.location import Kind
from tests.support.go import build, has_gcc, matrix
from tests.support.mutations import (
    with_section_headers_moved,
    with_section_names_gone,
    without_section_headers,
)

HELLO = Path(__file__).parents[2] / "testdata" / "hello.go"
CGO = Path(__file__).parents[2] / "testdata" / "targets" / "kindsc.go"
BUILDS: dict[str, tuple[str, ...]] = {
    "exe": (),
    "pie": ("-buildmode=pie",),
    "stripped": ("-ldflags=-s -w",),
    "cgo": (),
    "cgo-pie": ("-buildmode=pie",),
    "cgo-static": ("-ldflags=-linkmode=external -extldflags=-static",),
}
MUTATIONS: dict[str, Callable[[Path, Path], Path]] = {
    "none": without_section_headers,
    "moved": lambda binary, into: with_section_headers_moved(binary, into, 0x1000),
    "moved far": lambda binary, into: with_section_headers_moved(binary, into, 1 << 33),
}


def built(go: str, how: str) -> Path:
    if how.startswith("cgo"):
        if not has_gcc():
            pytest.skip("cgo needs gcc")
        return build(CGO, go=go, flags=BUILDS[how], env={"CGO_ENABLED": "1"})
    return build(HELLO, go=go, flags=BUILDS[how])


def stretches(path: Path) -> Stretches:
    return Stretches(ElfFile(path), path.name)


def sampled(elf: ElfFile) -> list[int]:
    """Addresses all over the image."""
    return [
        at
        for s in elf.segments
        if s.type == PT_LOAD and s.size
        for at in range(s.address, s.address + s.size, max(1, s.size // 2003))
    ]


@pytest.mark.parametrize("how", BUILDS)
@pytest.mark.parametrize("go", matrix())
def test_without_section_headers_all_is_where_they_said(go: str, how: str, tmp_path: Path) -> None:
    binary = built(go, how)
    told = stretches(binary)
    for name, mutate in MUTATIONS.items():
        other = stretches(mutate(binary, tmp_path / name))
        wrong = []
        for at in sampled(ElfFile(binary)):
            one, two = told.at(at), other.at(at)
            # Between sections is padding, which segments do not tell from what they hold; what
            # is read-only after the start may end in the middle of .got.plt; notes before the
            # code count to the headers.
            if one is None or one.name == ".got.plt" or (two is None and one.name[:5] == ".note"):
                continue
            if two is None or two.kind != one.kind:
                wrong.append(f"{at:#x} {one.name} {one.kind} {two}")
        assert not wrong, (name, wrong[:10])
        assert {s.kind for s in other.all} == {Kind.TEXT, Kind.RODATA, Kind.DATA, Kind.BSS}
        if not how.startswith("cgo"):  # C has its own .data and .bss
            for own in (".text", ".data", ".noptrdata", ".bss", ".noptrbss"):
                [one] = [s for s in told.all if s.name == own]
                [two] = [s for s in other.all if s.name == own]
                assert one.low == two.low and abs(one.high - two.high) <= 1, own


@pytest.mark.parametrize("go", matrix())
def test_names_do_not_matter(go: str, tmp_path: Path) -> None:
    binary = built(go, "exe")
    told = stretches(binary).all
    other = stretches(with_section_names_gone(binary, tmp_path / "nameless")).all
    assert [(s.low, s.high, s.kind) for s in told] == [(s.low, s.high, s.kind) for s in other]


def test_stretches_are_in_order_and_disjoint(tmp_path: Path) -> None:
    for how in ("exe", "pie"):
        binary = built(matrix()[-1], how)
        for path in (binary, without_section_headers(binary, tmp_path / how)):
            edges = [edge for s in stretches(path).all for edge in (s.low, s.high)]
            assert edges == sorted(edges)


def test_the_headers_are_none_of_it(tmp_path: Path) -> None:
    binary = without_section_headers(built(matrix()[-1], "exe"), tmp_path / "binary")
    low = min(s.address for s in ElfFile(binary).segments if s.type == PT_LOAD)
    assert stretches(binary).at(low) is None


@pytest.mark.parametrize("go", matrix())
def test_the_build_id_without_section_headers(go: str, tmp_path: Path) -> None:
    binary = built(go, "exe")
    bare = without_section_headers(binary, tmp_path / "binary")
    told = ElfFile(binary).build_id
    assert told == ElfFile(bare).build_id and "/" in told
