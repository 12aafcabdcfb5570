"""Which part of a variable each piece of its location is."""

from __future__ import annotations

from functools import cache

import pytest

from goprobe.binary.dwarf.expression import Piece
from goprobe.binary.dwarf.loclist import LocationEntry
from goprobe.binary.elf.elf import ElfFile
from goprobe.runtime.image.program import GoProgram
from goprobe.runtime.values.pieces import Leaf, is_one_word_of_more, is_taken_apart, leaves, placed
from tests.support.go import build
from tests.trace.test_variables_reused import SOURCE

WORDS = (Leaf(0, 8, "a"), Leaf(8, 4, "b"), Leaf(16, 8, "c"), Leaf(24, 8, "d"))


@cache
def program() -> GoProgram:
    return GoProgram(ElfFile(build(SOURCE)))


def shape(name: str) -> list[tuple[int, int, str]]:
    debug = program().debug
    found = leaves(debug.types, debug.type_named(name))
    return [(leaf.offset, leaf.size, leaf.name) for leaf in found]


def test_the_words_of_types() -> None:
    assert shape("main.node") == [(0, 8, "name.ptr"), (8, 8, "name.len"), (16, 8, "next")]
    assert [name for _, _, name in shape("main.three")] == [
        f"[{i}].{part}" for i in range(3) for part in ("ptr", "len")
    ]
    assert shape("interface {}") == [(0, 8, ".itab"), (8, 8, ".data")]
    assert shape("uint32") == [(0, 4, "")]
    assert shape("complex128") == [(0, 8, ".real"), (8, 8, ".imag")]


@pytest.mark.parametrize(
    ("name", "apart"),
    [
        ("int", True),
        ("string", True),
        ("[]int", True),
        ("interface {}", True),
        ("main.node", True),
        ("main.pair", True),
        ("main.three", False),
    ],
)
def test_what_the_optimiser_takes_apart(name: str, apart: bool) -> None:
    debug = program().debug
    assert is_taken_apart(debug.types, debug.type_named(name)) is apart


def pieces(*sizes: int) -> list[Piece]:
    return [Piece(size, address=None, register=f"r{i}") for i, size in enumerate(sizes)]


def places(*sizes: int, known: dict[int, int] | None = None) -> list[tuple[int, str]]:
    return [(p.offset, p.piece.register) for p in placed(WORDS, pieces(*sizes), known or {})]


def test_all_words_have_their_pieces() -> None:
    assert places(8, 4, 8, 8) == [(0, "r0"), (8, "r1"), (16, "r2"), (24, "r3")]


def test_padding_may_be_described() -> None:
    assert [offset for offset, _ in places(8, 4, 4, 8, 8)] == [0, 8, 12, 16, 24]


def test_of_fewer_pieces_only_those_that_are_sure_have_a_place() -> None:
    assert places(4) == [(8, "r0")]
    assert places(8, 4) == [(0, "r0"), (8, "r1")]
    assert places(4, 8, 8) == [(8, "r0"), (16, "r1"), (24, "r2")]
    assert places(8) == []
    assert places(8, known={0: 3}) == [(24, "r0")]


def test_pieces_that_the_words_cannot_be_have_none() -> None:
    assert places(2, 8) == []
    assert places(4, 4) == []


def test_a_register_for_more_than_a_word_is_one_word() -> None:
    debug = program().debug
    register, frame = LocationEntry(0, 8, b"\x50"), LocationEntry(8, 16, b"\x91\x10")
    string, number = debug.type_named("string"), debug.type_named("int")
    assert is_one_word_of_more(debug.types, string, [frame, register])
    assert not is_one_word_of_more(debug.types, string, [frame])
    assert not is_one_word_of_more(debug.types, number, [register])
