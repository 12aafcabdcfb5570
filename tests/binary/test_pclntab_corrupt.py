"""Corrupt line tables: only the documented errors, whatever the bytes are."""

from __future__ import annotations

import contextlib
import random
import struct
from functools import cache

import pytest
from hypothesis import given, settings, strategies as st

from goprobe.binary.elf.elf import ElfFile
from goprobe.binary.pcln.find import open_line_table
from goprobe.binary.pcln.format import HEADER_SIZE, MAGIC, Function, parse_header
from goprobe.binary.pcln.pcvalue import decode_runs
from goprobe.binary.pcln.stackmap import frame_maps, stack_objects
from goprobe.binary.pcln.table import LineTable
from goprobe.budget import BASE, Budget
from goprobe.errors import NotGoError, UnreadableError
from tests.binary.linetables import binary
from tests.support.go import matrix


@cache
def original() -> tuple[LineTable, bytes]:
    table = open_line_table(ElfFile(binary(matrix()[-1], "plain")))
    return table, bytes(table.data)


def reopened(raw: bytes) -> LineTable:
    table, _ = original()
    return LineTable(raw, table.text, address=table.address).with_funcdata(
        table.gofunc, table.rodata, table.read_funcdata
    )


def ask_everything(table: LineTable, function: Function) -> None:
    pc = function.entry + (function.end - function.entry) // 2
    for question in (
        lambda: function.name,
        lambda: function.file,
        lambda: table.function_at(pc),
        lambda: table.position(function, pc),
        lambda: table.inline_stack(function, pc),
        lambda: table.frame_size(function, pc),
        lambda: [table.pcdata(function, i, pc) for i in range(6)],
        lambda: [table.funcdata(function, i) for i in range(10)],
        lambda: frame_maps(table, function, pc),
        lambda: stack_objects(table, function),
    ):
        with contextlib.suppress(UnreadableError):
            question()


def exercise(raw: bytes) -> None:
    try:
        table = reopened(raw)
    except NotGoError as error:
        assert len(str(error).splitlines()) == 1
        return
    count = len(table)
    for index in range(0, count, max(1, count // 24)):
        with contextlib.suppress(UnreadableError):
            ask_everything(table, table.function(index))
    with contextlib.suppress(UnreadableError):
        table.function_named("main.main")


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_changed_bytes(data: st.DataObject) -> None:
    _, raw = original()
    changed = bytearray(raw)
    header = parse_header(raw)
    # The header and the index of functions matter most: half of the changes go there.
    spot = st.one_of(
        st.integers(0, HEADER_SIZE - 1),
        st.integers(header.functab, header.functab_end),
        st.integers(header.functab_end, len(raw) - 1),
        st.integers(0, len(raw) - 1),
    )
    for at, value in data.draw(st.lists(st.tuples(spot, st.binary(min_size=1, max_size=8)))):
        changed[at : at + len(value)] = value
    exercise(bytes(changed[: len(raw)]))


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1 << 20))
def test_cut_tables(size: int) -> None:
    _, raw = original()
    exercise(raw[:size])


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1 << 32), st.integers(1, 64))
def test_noise_in_whole_parts(seed: int, spread: int) -> None:
    _, raw = original()
    changed = bytearray(raw)
    header = parse_header(raw)
    noise = random.Random(seed)
    for at in range(header.functab, len(raw), 64 * spread):
        changed[at] = noise.randrange(256)
    exercise(bytes(changed))


@given(st.binary(max_size=200))
def test_any_bytes_are_no_table(raw: bytes) -> None:
    with pytest.raises(NotGoError):
        LineTable(raw, 0x401000)


def _budget() -> Budget:
    return Budget(4 * BASE, lambda: NotGoError("it would not end"))


@given(st.binary(max_size=400), st.integers(0, 500))
def test_any_bytes_as_a_pc_value_table(raw: bytes, at: int) -> None:
    with contextlib.suppress(ValueError):
        runs = decode_runs(raw, at, _budget())
        assert list(runs.ends) == sorted(runs.ends)


def test_a_table_without_an_end_is_cut_off() -> None:
    with pytest.raises(ValueError, match="without an end"):
        decode_runs(b"\x02\x01" * (1 << 21), 0, _budget())
    with pytest.raises(ValueError, match="without an end"):
        decode_runs(b"\x02\xff\xff\xff\xff\x0f" * 9 + b"\0", 0, _budget())


def test_a_header_says_what_is_wrong() -> None:
    def header(*words: int, magic: int = MAGIC) -> bytes:
        return struct.pack("<IBBBB8Q", magic, 0, 0, 1, 8, *words) + bytes(200)

    fine = (1, 1, 0x401000, 72, 80, 88, 96, 104)
    assert parse_header(header(*fine)).functions == 1
    with pytest.raises(NotGoError, match="older than"):
        parse_header(header(*fine, magic=0xFFFFFFF0))
    with pytest.raises(NotGoError, match="unknown kind"):
        parse_header(header(*fine, magic=0xFFFFFFFB))
    with pytest.raises(NotGoError, match="outside of it"):
        parse_header(header(1 << 40, *fine[1:]))
    with pytest.raises(NotGoError, match="outside of it"):
        parse_header(header(*fine[:4], 1 << 63, *fine[5:]))
    with pytest.raises(NotGoError, match="cut short"):
        parse_header(b"\xf1\xff\xff\xff")
