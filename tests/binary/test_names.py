"""Names by the quick way are those of the index, and where that cannot be, of the index itself."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest

from goprobe.binary.dwarf.dieindex import Sections, read_units
from goprobe.binary.dwarf.info import DebugInfo
from goprobe.binary.dwarf.names import names_of_index, names_of_units, read_by_names
from goprobe.binary.elf.elf import ElfFile
from goprobe.errors import NotGoError, UsageError
from tests.support.go import build, matrix

PROGRAMS = Path(__file__).parents[2] / "testdata" / "programs"
BUILDS = {
    "plain": ("-gcflags=all=-N -l",),
    "optimised": (),
    "pie": ("-buildmode=pie",),
    "race": ("-race",),
    "uncompressed": ("-ldflags=-compressdwarf=false",),
}
# What it names begins as parts of the debug information do, has shapes, and a long location.
HARD = """package main

import (
	"fmt"
	"os"
	"sort"
)

type pair[K comparable, V any] struct {
	key   K
	value V
}

var table = map[string]pair[string, []int]{}

func (p pair[K, V]) String() string { return fmt.Sprint(p.key, p.value) }

//go:noinline
func sorted[K ~string | ~int, V any](of map[K]V, less func(a, b K) bool) []pair[K, V] {
	var all []pair[K, V]
	for k, v := range of {
		all = append(all, pair[K, V]{k, v})
	}
	sort.Slice(all, func(i, j int) bool { return less(all[i].key, all[j].key) })
	return all
}

func main() {
	big := [4]struct{ a, b, c, d int }{{a: len(os.Args)}}
	less := func(a, b string) bool { return a < b }
	numbers := map[int]string{len(os.Args): os.Args[0], big[0].a + 1: "x"}
	fmt.Println(sorted(map[string]int{os.Args[0]: big[0].a}, less), len(table), big)
	fmt.Println(sorted(numbers, func(a, b int) bool { return a < b }))
}
"""


@pytest.mark.parametrize("go", matrix())
@pytest.mark.parametrize("flags", BUILDS.values(), ids=BUILDS.keys())
@pytest.mark.parametrize("source", [HARD, PROGRAMS / "structs.go"], ids=["hard", "structs"])
def test_they_are_those_of_the_index(go: str, flags: tuple[str, ...], source: str | Path) -> None:
    env = {"CGO_ENABLED": "1"} if "-race" in flags else None
    debug = DebugInfo(ElfFile(build(source, go=go, flags=flags, env=env)))
    names = debug.names
    assert names == names_of_index(debug.index)
    assert {"main.main", "runtime.mallocgc"} <= names.compiled.keys()
    assert len(names.inlined) > 500 or "-N" in str(flags)
    assert names.types["main.pair[string,int]" if source == HARD else "runtime.g"]


def test_units_of_c_are_read_with_the_index() -> None:
    binary = build(PROGRAMS / "cgo.go", env={"CGO_ENABLED": "1"})
    debug = DebugInfo(ElfFile(binary))
    assert not read_by_names(Sections(debug.elf), debug.units.all)
    assert debug.names == names_of_index(debug.index)


def test_none_without_debug_information() -> None:
    debug = DebugInfo(ElfFile(build(PROGRAMS / "ints.go", flags=("-ldflags=-s -w",))))
    assert debug.names == names_of_index(debug.index)


@pytest.mark.parametrize("at", range(0, 4000, 97))
def test_damaged_debug_information_is_one_error(at: int, tmp_path: Path) -> None:
    original = build(PROGRAMS / "ints.go", flags=("-ldflags=-compressdwarf=false",))
    section = ElfFile(original).section(".debug_info")
    assert section is not None
    data = bytearray(original.read_bytes())
    place = section.offset + at * section.size // 4000
    data[place : place + 4] = b"\xff\xff\xff\xff"
    damaged = tmp_path / "damaged"
    damaged.write_bytes(data)
    elf = ElfFile(damaged)
    with suppress(NotGoError, UsageError):
        names_of_units(Sections(elf), read_units(elf))
