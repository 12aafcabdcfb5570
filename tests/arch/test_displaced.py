"""Instructions run elsewhere. What they do there is tested by probing real programs at every
instruction (test_tracer.py); here, the forms that compilers use rarely."""

from __future__ import annotations

import pytest
from hypothesis import example, given, strategies as st
from iced_x86 import Decoder

from goprobe.arch.amd64 import registers
from goprobe.arch.displaced import displace
from goprobe.arch.elsewhere import (
    CallByHand,
    CodeCopy,
    Jump,
    NotDisplaceableError,
    SeveralCopy,
)
from goprobe.arch.once import noting

AT, SLOT = 0x40_1000, 0x7000_2000


def displaced(code: str, at: int = AT, slot: int = SLOT) -> CodeCopy | Jump | CallByHand:
    return displace(bytes.fromhex(code).ljust(15, b"\x90"), at, slot)


def copied(code: str) -> tuple[CodeCopy, str]:
    """The copy and how its first instruction reads in the slot."""
    copy = displaced(code)
    assert isinstance(copy, CodeCopy)
    first, back = list(Decoder(64, copy.code, ip=copy.slot))
    assert (first.len, back.near_branch_target) == (copy.length, copy.next)
    assert len(copy.code) <= 32
    return copy, str(first)


def test_plain_instructions_are_copied() -> None:
    copy, text = copied("4889442418")
    assert text == "mov [rsp+18h],rax"
    assert copy.next == AT + 5
    assert copy.original(SLOT) == AT
    assert copy.original(SLOT + 5) == AT + 5


def test_relative_addresses_still_mean_the_same() -> None:
    _, text = copied("488b1d10000000")
    assert text == "mov rbx,[401017h]"
    # An immediate behind the displacement counts for the length.
    _, text = copied("48c7051000000005000000")
    assert text == "mov qword ptr [40101Bh],5"


@pytest.mark.parametrize("condition", range(16))
def test_conditional_jumps_keep_condition_and_target(condition: int) -> None:
    short = next(iter(Decoder(64, bytes((0x70 + condition, 0x10)), ip=AT)))
    copy, text = copied(f"{0x70 + condition:02x}10")
    assert text.split()[0] == str(short).split()[0]
    assert int(text.split()[-1].removesuffix("h"), 16) == AT + 0x12
    assert copy.next == AT + 2
    _, near = copied(f"0f{0x80 + condition:02x}0c000000")
    assert near == text


def test_jumps_are_done_by_hand() -> None:
    assert displaced("eb10") == Jump(AT + 0x12)
    assert displaced("e9f0ffffff") == Jump(AT - 11)


@pytest.mark.parametrize(
    ("code", "target", "operand", "length"),
    [
        ("e810000000", AT + 0x15, 0, 5),
        ("ffd1", 0x111, 0, 2),
        ("41ffd4", 0x1212, 0, 3),
        ("ff12", None, 0x222, 2),
        ("ff5208", None, 0x22A, 3),
        ("ff54c8f8", None, 0x777 + 8 * 0x111 - 8, 4),
        ("ff1510000000", None, AT + 0x16, 6),
        ("ff542410", None, 0x7FFF_0010, 4),
    ],
)
def test_calls_are_done_by_hand(code: str, target: int | None, operand: int, length: int) -> None:
    words = memoryview(bytearray(27 * 8)).cast("Q")
    words[registers.RAX], words[registers.RCX], words[registers.RDX] = 0x777, 0x111, 0x222
    words[registers.R12], words[registers.RSP] = 0x1212, 0x7FFF_0000
    call = displaced(code)
    assert isinstance(call, CallByHand)
    assert call.back == AT + length
    assert call.target(words) == target
    if target is None:
        assert call.operand(words) == operand


@pytest.mark.parametrize("code", ["cc", "0f0b", "e2fe", "e3fe", "cd80", "06"])
def test_what_cannot_run_elsewhere_is_refused(code: str) -> None:
    with pytest.raises(NotDisplaceableError):
        displaced(code)


@given(st.binary(max_size=15))
@example(b"\x00\x05\x00\x00\x00\x80")  # an operand that the copy is too far away for
def test_any_bytes_are_copied_within_a_slot_or_refused(code: bytes) -> None:
    try:
        found = displace(code, AT, SLOT)
    except NotDisplaceableError:
        return
    if isinstance(found, CodeCopy):
        assert found.length < len(found.code) <= 32
        assert AT < found.next <= AT + 15


def test_registers_that_change_are_given_back_where_several_instructions_begin_again() -> None:
    code = bytes.fromhex("4889ca4889d9")  # mov rdx, rcx; mov rcx, rbx
    made = noting(code.ljust(24, b"\x90"), AT, SLOT, SLOT + 0x1000, several=6)
    assert made and isinstance(made.action, SeveralCopy)
    action = made.action
    steps = list(Decoder(64, action.code, ip=action.slot))
    assert [str(step) for step in steps[:3]] == ["mov [rsp-10h],rcx", "mov rdx,rcx", "mov rcx,rbx"]
    assert action.put_by == (registers.RCX,) and steps[3].near_branch_target == AT + 6
    put_by = {0x7000 - 16: 0x111}
    # Before each step RCX is as the program had it, or has changed.
    for step, rcx in zip(steps, (0x111, 0x111, 0x111, 0x222), strict=True):
        words = memoryview(bytearray(27 * 8)).cast("Q")
        words[registers.RSP], words[registers.RCX] = 0x7000, rcx
        words[registers.RIP] = step.ip
        action.leave(words, lambda at: put_by.get(at, 0))
        done = step is steps[3]
        assert words[registers.RIP] == (AT + 6 if done else AT)
        assert words[registers.RCX] == (0x222 if done else 0x111)


@pytest.mark.parametrize(
    "code",
    [
        "4883c4185d90",  # add rsp, 24; pop rbp: the stack pointer finds what is put by
        "488b08488918",  # mov rcx, [rax]; mov [rax], rbx: memory is not put by
    ],
)
def test_what_cannot_begin_again_is_not_covered(code: str) -> None:
    assert noting(bytes.fromhex(code).ljust(24, b"\x90"), AT, SLOT, SLOT + 64, several=6) is None
