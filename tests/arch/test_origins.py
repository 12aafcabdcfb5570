"""Where the value came from that a register or a slot holds, by single instructions."""

from __future__ import annotations

from goprobe.arch.code import (
    Addressed,
    CodeFlow,
    Defers,
    Given,
    Origin,
    Origins,
    Untold,
)

BASE, DEPTH = 0x401000, 0x108  # from a frame's lowest word up to its CFA
SAVE_RAX = "48 89 84 24 f8000000"  # mov [rsp+0xf8], rax: the word 16 bytes before the CFA
LOAD_RBX = "48 8b 9c 24 f8000000"
NOP = "90"


def made(*parts: str, at: int, first: int = DEPTH) -> tuple[Origin, ...]:
    """What rbx holds so many bytes behind the beginning, of a frame of pointers; `first` is how far
    the CFA is above the stack pointer at the first instruction."""
    code = bytes.fromhex("".join(parts).replace(" ", ""))
    flow = CodeFlow(
        code,
        BASE,
        lambda pc: first if pc == BASE else DEPTH,
        lambda _: True,
        lambda _: None,
        Defers(0, lambda _: ""),
    )
    return Origins(flow, Addressed(-DEPTH, ()), lambda _: False).of("rbx", BASE + at)


def test_a_slot_is_followed_where_nothing_else_fills_it() -> None:
    """lea rcx, [rsp+0x10] may fill all that lies above; lea r12, [rsp-0xb8] is what a function with
    a large frame begins with, and fills nothing."""
    assert made(SAVE_RAX, LOAD_RBX, NOP, at=16) == (Given("rax"),)
    assert made("48 8d 4c 24 10", SAVE_RAX, LOAD_RBX, NOP, at=21) == (Untold(),)
    assert made("4c 8d a4 24 48ffffff", SAVE_RAX, LOAD_RBX, NOP, at=24, first=8) == (Given("rax"),)


def test_what_a_loop_keeps_comes_from_before() -> None:
    """mov [rsp+0xf8], rax; mov rbx, [rsp+0xf8]; mov [rsp+0xf8], rbx; test al, al; jne -20; nop"""
    again = "48 89 9c 24 f8000000"
    code = (SAVE_RAX, LOAD_RBX, again, "84c0", "75ec", NOP)
    assert made(*code, at=24) == (Given("rax"),)
