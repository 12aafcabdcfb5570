"""What single instructions store to memory, but for the frame's: whole registers."""

from __future__ import annotations

import msgspec
from iced_x86 import Instruction, Mnemonic, OpKind, RegisterExt

from goprobe.arch.amd64.codeflow import full_name
from goprobe.arch.amd64.registers import SP, signed

_WORD = 8


class Store(msgspec.Struct, frozen=True, array_like=True):
    """The instruction at `pc` stores a register `offset` bytes from where another, `base`, points
    to; where `base` is "" at the link-time address `offset`."""

    pc: int
    register: str
    base: str
    offset: int


class ElementStore(Store, frozen=True, array_like=True):
    """The same of one of `count` words that begin there: of an array, by an index. It may have more
    of them."""

    count: int


def _stored(ins: Instruction) -> str:
    """The whole register that an instruction stores to memory, "" for none."""
    if ins.mnemonic != Mnemonic.MOV or ins.op0_kind != OpKind.MEMORY:
        return ""
    if ins.op1_kind != OpKind.REGISTER or RegisterExt.size(ins.op1_register) != _WORD:
        return ""
    return full_name(ins.op1_register)


def element_store(ins: Instruction) -> tuple[Store, str] | None:
    """A store to an element of an array of words, and the register that is its index."""
    register, base = _stored(ins), indexed_base(ins)
    if not register or not base:
        return None
    store = Store(ins.ip, register, base, signed(ins.memory_displacement))
    return store, full_name(ins.memory_index)


def indexed_base(ins: Instruction) -> str:
    """The register that a memory operand counts words from, and a whole number of words; "" where
    there is more to it, or it is the frame's."""
    scaled = ins.memory_index and ins.memory_index_scale == _WORD
    whole = signed(ins.memory_displacement) % _WORD == 0
    base = full_name(ins.memory_base)
    return base if scaled and whole and not ins.segment_prefix and base != SP else ""


def store_of(ins: Instruction) -> Store | None:
    register = _stored(ins)
    if not register:
        return None
    if ins.is_ip_rel_memory_operand:
        return Store(ins.ip, register, "", ins.ip_rel_memory_address)
    base = plain_base(ins)
    return Store(ins.ip, register, base, signed(ins.memory_displacement)) if base else None


def plain_base(ins: Instruction) -> str:
    """The register that a memory operand counts from; "" where it is the frame's, or there is more
    to it."""
    plain = not ins.memory_index and not ins.segment_prefix
    base = full_name(ins.memory_base) if plain else ""
    return "" if base == SP else base
