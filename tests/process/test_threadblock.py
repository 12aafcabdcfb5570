"""Stacks from C's own descriptors of threads: what was written there, and nothing that was not."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given, strategies as st

from goprobe.errors import UnreadableError
from goprobe.process.proc.maps import Mapping
from goprobe.process.threadblock import stack_bounds

GUARD, LOW, HIGH = 0x7F0000000000, 0x7F0000001000, 0x7F0000101000
FS_BASE = HIGH - 0x940
SP = HIGH - 0x8000
MAPPINGS = (
    Mapping(GUARD, LOW, "---p", 0, "00:00", 0, ""),
    Mapping(LOW, HIGH, "rw-p", 0, "00:00", 0, ""),
)


class Descriptor:
    """Words at fs_base, and nothing beyond HIGH."""

    def __init__(self, words: dict[int, int], end: int = HIGH) -> None:
        raw = bytearray(end - FS_BASE)
        for at, word in words.items():
            raw[8 * at : 8 * at + 8] = struct.pack("<Q", word)
        self._raw = bytes(raw)

    def read(self, address: int, size: int) -> bytes:
        at = address - FS_BASE
        if at < 0 or at + size > len(self._raw):
            raise UnreadableError(address, size, "not there")
        return self._raw[at : at + size]


def asked(words: dict[int, int], sp: int = SP) -> tuple[int, int] | None:
    return stack_bounds(Descriptor(words), MAPPINGS, FS_BASE, sp)  # type: ignore[arg-type]


@pytest.mark.parametrize("at", [10, 211, 254])
def test_glibc_notes_the_block_with_its_guard(at: int) -> None:
    assert asked({at: GUARD, at + 1: HIGH - GUARD}) == (LOW, HIGH)


def test_musl_notes_the_top_too_and_that_is_closer() -> None:
    top = FS_BASE - 0x200
    words = {3: GUARD, 4: HIGH - GUARD, 5: top, 6: top - LOW, 7: 0x1000}
    assert asked(words) == (LOW, top)


def test_a_given_stack_elsewhere_is_known_by_where_the_thread_stands() -> None:
    assert asked({5: SP + 0x1000, 6: 0x4000}) == (SP - 0x3000, SP + 0x1000)
    assert asked({5: SP + 0x1000, 6: 0x4000}, sp=LOW) is None


def test_what_the_program_keeps_behind_its_descriptor_is_none_of_it() -> None:
    """An address on the stack beside a thread's number, which fits where 16 divides it."""
    top = FS_BASE - 0x200
    words = {5: top, 6: top - LOW, 60: top - 0x100, 61: 28464, 62: SP + 0x1000, 63: 0x4000}
    assert asked(words) == (LOW, top)


def test_bounds_beyond_memory_are_none() -> None:
    assert asked({5: LOW - 0x100000, 6: HIGH - LOW + 0x100000}) is None
    assert asked({5: FS_BASE, 6: 1 << 35}) is None
    assert asked({}) is None


def test_no_descriptor() -> None:
    assert stack_bounds(Descriptor({}), MAPPINGS, 0, SP) is None  # type: ignore[arg-type]
    assert stack_bounds(Descriptor({}), MAPPINGS, 0x1230, SP) is None  # type: ignore[arg-type]
    assert stack_bounds(Descriptor({}), MAPPINGS, FS_BASE + 1, SP) is None  # type: ignore[arg-type]


@given(
    st.dictionaries(st.integers(0, 255), st.integers(0, (1 << 64) - 1), max_size=40),
    st.integers(0, (1 << 64) - 1),
)
def test_whatever_is_there_bounds_lie_in_memory(words: dict[int, int], sp: int) -> None:
    found = asked(words, sp)
    assert found is None or LOW <= found[0] < found[1] <= HIGH
