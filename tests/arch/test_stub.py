"""The stubs as a disassembler reads them, and where caves are put."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st
from iced_x86 import Decoder

from goprobe.arch.stub import (
    CONTROL_SIZE,
    RECORD_SIZE,
    StubLayout,
    StubPhase,
    make_stub,
    ring_size,
)
from goprobe.errors import CannotWorkError
from goprobe.process.proc.maps import Mapping
from goprobe.process.tracer.inject import place

CALLEE = 0x401000


def listing(
    inspect: int, *, checked: bool = False, site: int = 1
) -> tuple[StubLayout, dict[int, str]]:
    """Offset to text of each instruction of the stub of one of three sites."""
    stub = make_stub(inspect, ring_size(3), checked=checked)
    layout = StubLayout(
        stub=stub,
        sites=3,
        slots=4,
        inspect=inspect,
        ring=ring_size(3),
        code=0x1000_0000,
        data=0x1010_0000,
    )
    code = layout.assemble([CALLEE] * 3)
    assert len(code) == 3 * stub.size
    start = site * stub.size
    found = {}
    for one in Decoder(64, code[start : start + stub.size], ip=layout.enter(site)):
        found[one.ip - layout.enter(site)] = str(one)
    return layout, found


def test_the_counting_path_touches_flags_only() -> None:
    layout, code = listing(32)
    control = layout.control(1)
    assert code[0] == f"jmp qword ptr [{control + 8:X}h]"
    after = [text for offset, text in code.items() if offset >= layout.stub.count]
    assert after[:2] == [f"lock inc qword ptr [{control:X}h]", f"jmp near ptr {CALLEE:016X}h"]


def test_the_recording_path_changes_no_register_but_the_scratch_ones() -> None:
    layout, code = listing(32)
    texts = [t for o, t in code.items() if layout.stub.record <= o < layout.stub.trap]
    assert texts[1] == f"lock xadd [{layout.control(1) + 16:X}h],r13"
    for text in texts:
        operation, _, operands = text.partition(" ")
        written = operands.split(",")[0]
        assert (
            operation in ("jmp", "jbe", "cmp", "lock")
            or written in ("r12", "r13", "r13d")
            or written.startswith(("[r12", "qword ptr [r12"))
        ), text
    count, go = f"lock inc qword ptr [{layout.control(1):X}h]", f"jmp near ptr {CALLEE:016X}h"
    assert texts[-2:] == [count, go]
    assert code[layout.stub.trap] == "int 3"


def test_every_instruction_has_its_place() -> None:
    layout, code = listing(32, checked=True)
    stub = layout.stub
    counted = False
    for offset, text in code.items():
        if offset in (0, stub.count, stub.record, stub.trap):
            counted = False
        at = stub.place(offset)
        assert (at is StubPhase.COUNTED) == counted, text
        if text.startswith("lock inc"):
            counted = True
    claimed = [o for o in code if stub.place(o) is StubPhase.CLAIMED]
    stored = [o for o in code if stub.place(o) is StubPhase.STORED]
    assert code[claimed[0]] == "mov r12,r13"
    assert code[stored[0]].startswith("mov [r12+68h],r13")
    assert max(claimed) < min(stored)


def test_a_checked_stub_counts_down_and_traps() -> None:
    layout, code = listing(0, checked=True)
    assert [text for text in code.values() if text.startswith("lock dec")] == [
        f"lock dec qword ptr [{layout.data:X}h]"
    ] * 2
    assert list(code.values()).count("int 3") >= 2


@given(st.integers(1, 200), st.integers(0, 5000), st.integers(1, 400))
def test_nothing_overlaps(sites: int, claim: int, inspect: int) -> None:
    ring = ring_size(sites)
    layout = StubLayout(
        stub=make_stub(inspect, ring),
        sites=sites,
        slots=7,
        inspect=inspect,
        ring=ring,
        more_code=300,
        more_data=500,
        code=1 << 20,
        data=1 << 30,
    )
    assert layout.slot(7) == layout.more_code_at
    assert layout.more_code_at + layout.more_code <= layout.code + layout.code_size - 8
    assert layout.more_data_at + layout.more_data <= layout.data + layout.data_size
    assert layout.records_of(sites) == layout.slot_word(0)
    assert layout.slot_word(7) == layout.more_data_at
    assert not layout.slot(3) % 16
    for site in (0, sites - 1):
        offset = layout.record_offset(site, (claim + 1) * RECORD_SIZE)
        assert layout.records_of(site) - layout.data < offset
        assert offset + RECORD_SIZE <= layout.data_size
        if site + 1 < sites:
            assert layout.data + offset + RECORD_SIZE <= layout.records_of(site + 1)
    assert layout.control(sites - 1) + CONTROL_SIZE == layout.records_of(0)
    assert layout.in_stub(layout.enter(sites - 1)) and not layout.in_stub(layout.slots_at)
    assert layout.site_of(layout.enter(sites - 1) + layout.stub.size - 1) == sites - 1


def mapping(low: int, high: int) -> Mapping:
    return Mapping(low, high, "r-xp", 0, "00:00", 1, "/program")


LIMIT = 1 << 31


def test_a_cave_lies_within_reach_and_as_far_as_can_be() -> None:
    fixed = [mapping(0x400000, 0x900000)]
    at = place(fixed, 0x400000, 0x900000, 0x10000, 0x1000)
    assert at == 0x7FFF7000 - 0x10000  # AddressSanitizer's memory begins there
    moved = [
        mapping(0x5555_5555_4000, 0x5555_5565_4000),
        mapping(0x7FFF_0000_0000, 0x7FFF_1000_0000),
    ]
    at = place(moved, moved[0].low, moved[0].high, 0x10000, 0x1000)
    assert abs(at - moved[0].low) < LIMIT and abs(at - moved[0].high) < LIMIT
    assert at % 4096 == 0


def test_a_cave_fits_between_mappings() -> None:
    low, high = 0x400000, 0x900000
    full = [mapping(0x10000, 0x400000), mapping(low, high), mapping(high, low + LIMIT - 0x400000)]
    after = low + LIMIT - 0x400000
    at = place([*full, mapping(after + 0x3000, 1 << 40)], low, high, 0x3000, 0x1000)
    assert at == after
    with pytest.raises(CannotWorkError, match="no room"):
        place([*full, mapping(after + 0x3000, 1 << 40)], low, high, 0x4000, 0x1000)
