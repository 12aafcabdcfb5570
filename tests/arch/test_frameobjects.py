"""Whom code hands the address of a variable of its frame to, by single instructions."""

from __future__ import annotations

from goprobe.arch.amd64.frameobjects import ObjectUse, uses_of
from goprobe.arch.code import CodeFlow, Defers

BASE, DEPTH, TARGET = 0x401000, 0x48, 0x402000
LOW, HIGH = 0x10 - DEPTH, 0x40 - DEPTH  # what lies 0x10 bytes above the stack pointer
TAKE_RAX = "48 8d 44 24 10"  # lea rax, [rsp+0x10]
TAKE_RDI = "48 8d 7c 24 10"
SAVE = "48 89 44 24 08"  # mov [rsp+8], rax
LOAD_RBX = "48 8b 5c 24 08"
STORE = "48 89 48 10"  # mov [rax+0x10], rcx
CLEAR = "44 0f 11 38"  # movups [rax], xmm15
COPY = "f3 48 a5"  # rep movsq
KEEP = "48 89 01"  # mov [rcx], rax
NOP = "90"


def call(at: int) -> str:
    return "e8" + (TARGET - (BASE + at + 5)).to_bytes(4, "little", signed=True).hex()


def uses(*parts: str) -> tuple[ObjectUse, ...] | None:
    code = bytes.fromhex("".join(parts).replace(" ", ""))
    flow = CodeFlow(
        code, BASE, lambda _: DEPTH, lambda _: True, lambda _: None, Defers(0, lambda _: "")
    )
    return uses_of(flow, LOW, HIGH, ((LOW, HIGH),))


def test_the_address_is_followed_through_the_frame() -> None:
    at = sum(len(bytes.fromhex(part)) for part in (TAKE_RAX, SAVE, LOAD_RBX))
    given = {ObjectUse(BASE + at, TARGET, register, 0) for register in ("rax", "rbx")}
    assert set(uses(TAKE_RAX, SAVE, LOAD_RBX, call(at), NOP) or ()) == given
    assert uses(TAKE_RAX, CLEAR, NOP) == ()


def test_what_else_is_done_with_it_is_not_known() -> None:
    """It is stored elsewhere, something is stored or copied through it, a table is jumped by."""
    assert uses(TAKE_RAX, KEEP, NOP) is None
    assert uses(TAKE_RAX, STORE, NOP) is None
    assert uses(TAKE_RDI, COPY, NOP) is None
    assert uses(TAKE_RAX, "ff e1") is None  # jmp rcx
