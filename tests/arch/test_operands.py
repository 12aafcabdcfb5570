"""A second operand that is no number is none, whatever damaged code decodes to."""

from __future__ import annotations

import pytest
from iced_x86 import Decoder

from goprobe.arch.amd64.codeflow import is_zero
from goprobe.arch.amd64.operands import immediate


@pytest.mark.parametrize(
    ("code", "number"),
    [
        ("b805000000", 5),  # mov eax, 5
        ("c7042400000000", 0),  # mov dword ptr [rsp], 0
        ("48c7c0ffffffff", (1 << 64) - 1),  # mov rax, -1
        ("a4", None),  # movsb: the operand is memory at rsi
        ("a6", None),  # cmpsb
        ("4889c3", None),  # mov rbx, rax
        ("c3", None),  # ret
        ("9a0000000000", None),  # a far call, which this mode has not
    ],
)
def test_the_number_of_an_instruction(code: str, number: int | None) -> None:
    ins = next(iter(Decoder(64, bytes.fromhex(code))))
    assert immediate(ins) == number
    assert is_zero(ins) == (number == 0)
