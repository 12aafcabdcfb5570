"""The symbol table as a witness of Go's line table: they agree on every function, of any build."""

from __future__ import annotations

import pytest

from goprobe.binary.elf.elf import ElfFile
from goprobe.binary.elf.functionsymbols import FunctionSymbols, plain
from goprobe.binary.pcln.find import open_line_table
from tests.support.go import build, matrix
from tests.support.heap import TESTDATA


@pytest.mark.parametrize("go", matrix())
@pytest.mark.parametrize("flag", ["", "-buildmode=pie", "-gcflags=all=-N -l", "-ldflags=-w"])
def test_they_agree_on_every_function(go: str, flag: str) -> None:
    elf = ElfFile(build(TESTDATA / "zoo.go", go=go, flags=(flag,) if flag else ()))
    symbols, functions = FunctionSymbols(elf), list(open_line_table(elf).functions())
    assert len(functions) > 1000
    said = [symbols.contradiction(f.entry, f.entry, f.name) for f in functions]
    assert not any(said)
    some = functions[100]
    assert symbols.contradiction(some.entry, some.entry, "main.nobody").endswith(some.name)
    assert symbols.contradiction(functions[101].entry, some.entry, some.name)
    assert not symbols.contradiction(0, 0, "main.nobody")


def test_a_stripped_binary_contradicts_nothing() -> None:
    elf = ElfFile(build(TESTDATA / "zoo.go", flags=("-ldflags=-s -w",)))
    assert not FunctionSymbols(elf).contradiction(0x401000, 0x401000, "main.nobody")


@pytest.mark.parametrize(
    ("symbol", "name"),
    [
        ("main.Map[go.shape.int,go.shape.[]int].func1", "main.Map[...].func1"),
        ("runtime.memmove.abi0", "runtime.memmove"),
        ("type:.eq.net.dialResult.1", "type:.eq.net.dialResult·1"),
    ],
)
def test_what_names_may_differ_in(symbol: str, name: str) -> None:
    assert plain(symbol) == plain(name)
    assert plain(name) != plain("main.other")
