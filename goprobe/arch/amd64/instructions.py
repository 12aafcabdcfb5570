"""Single instructions, and what the first ones of a function do. iced-x86 decodes."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
from iced_x86 import (
    Decoder,
    FlowControl,
    Formatter,
    FormatterSyntax,
    Mnemonic,
    OpKind,
    Register,
)

from goprobe.arch.amd64.controlflow import CALLS
from goprobe.arch.amd64.operands import immediate
from goprobe.arch.amd64.registers import signed

LONGEST = 15
"""No instruction has more bytes."""
_MASK = (1 << 64) - 1
_BRANCHES = frozenset(
    {FlowControl.UNCONDITIONAL_BRANCH, FlowControl.CONDITIONAL_BRANCH, FlowControl.INDIRECT_BRANCH}
)
_STRAIGHT = frozenset({FlowControl.NEXT, FlowControl.UNCONDITIONAL_BRANCH})
_PROLOGUE_LIMIT = 8
_VECTOR = 16  # bytes


def spans(code: bytes, low: int) -> Iterator[tuple[int, int]]:
    """Where each instruction begins and ends, of code that lies at `low`."""
    for ins in Decoder(64, code, ip=low):
        yield ins.ip, ins.next_ip


def after_call(code: bytes, pc: int) -> int:
    """The address after the instruction at `pc`, whose bytes `code` begins with, if that is a call;
    else 0."""
    ins = Decoder(64, code, ip=pc).decode()
    return int(ins.next_ip) if ins.flow_control in CALLS else 0


def called(code: bytes, pc: int) -> int | None:
    """Whom the instruction at `pc` calls directly; None where it is no such call."""
    ins = next(iter(Decoder(64, code, ip=pc)), None)
    if ins is None or ins.mnemonic != Mnemonic.CALL or ins.op0_kind != OpKind.NEAR_BRANCH64:
        return None
    return int(ins.near_branch_target)


class Transfer(msgspec.Struct, frozen=True):
    """An instruction that hands control on: `target` of a direct branch or call, 0 where it is
    found only when it runs."""

    at: int
    next: int
    call: bool
    target: int


def transfers(code: bytes, low: int) -> Iterator[Transfer]:
    """The branches and calls of code that lies at `low`, in its order."""
    for ins in Decoder(64, code, ip=low):
        call = ins.flow_control in CALLS
        if call or ins.flow_control in _BRANCHES:
            direct = ins.op0_kind == OpKind.NEAR_BRANCH64
            yield Transfer(ins.ip, ins.next_ip, call, ins.near_branch_target if direct else 0)


def call_ahead(code: bytes, low: int) -> int | None:
    """The call that control comes to straight ahead from `low`: its address; 0 where control may
    go elsewhere before; None where the code ends first."""
    for ins in Decoder(64, code, ip=low):
        if ins.flow_control == FlowControl.CALL:
            return int(ins.ip)
        if ins.flow_control not in _STRAIGHT:
            return 0
    return None


def stored_range(code: bytes, low: int) -> tuple[int, int]:
    """Which bytes a row of vector stores (a Duff's device) writes: from where on, as a distance
    from RDI, and how many. Entered in the midst of a block it does not begin at RDI."""
    moved, stored = 0, list[int]()
    for ins in Decoder(64, code, ip=low):
        if ins.op0_kind == OpKind.MEMORY and ins.memory_base == Register.RDI:
            if ins.mnemonic == Mnemonic.MOVUPS:
                stored.append(moved + signed(ins.memory_displacement))
        elif ins.op0_kind == OpKind.REGISTER and ins.op0_register == Register.RDI:
            lea = ins.mnemonic == Mnemonic.LEA
            moved += signed(ins.memory_displacement if lea else immediate(ins) or 0)
    first = min(stored, default=0)
    return first, max(stored, default=first - _VECTOR) + _VECTOR - first


class StackComparison(msgspec.Struct, frozen=True):
    """Of the word at an offset in g with a stack pointer, behind so many instructions."""

    instructions: int
    offset: int
    sp: int


def stack_check(code: bytes, pc: int, sp: int) -> StackComparison | None:
    """The comparison with which a function that stands at its first instruction begins: `sp` must
    be above the word. None where the function has none.

    Source: src/cmd/internal/obj/x86/obj6.go, stacksplit (Go 1.21 to 1.27).
    """
    lowered = sp
    for count, ins in enumerate(Decoder(64, code, ip=pc)):
        if ins.mnemonic == Mnemonic.LEA and ins.memory_base == Register.RSP:
            lowered = (sp + ins.memory_displacement) & _MASK
        elif ins.mnemonic == Mnemonic.CMP and ins.op1_kind == OpKind.MEMORY:
            of_g = ins.memory_base == Register.R14
            return StackComparison(count, int(ins.memory_displacement), lowered) if of_g else None
        else:
            return None
    return None


def prologue(code: bytes, low: int) -> Iterator[str]:
    """The first instructions of a function as text, up to that which makes room for its frame."""
    formatter = Formatter(FormatterSyntax.INTEL)
    for number, ins in enumerate(Decoder(64, code, ip=low), 1):
        text = formatter.format(ins)
        yield f"{ins.ip:#x} {text}"
        if text.startswith("sub rsp") or number == _PROLOGUE_LIMIT:
            return
