"""Code that notes that an instruction ran, without stopping the thread, and then does it.

    the instruction:  jmp slot
    slot:             jmp [word]            to `note` until it has run once, then to `go on`
    note:             mov byte [word], ...  of the word's bytes the lowest: now it says `go on`
    go on:            the instruction, and a jump back (`displaced.py`)

No register and no flag is touched. What ran often costs two jumps and a word that is read only, so
that threads do not wait for each other. All can be run again from its start: a thread that is about
to take a signal is put back to the instruction's own address (`CodeCopy.original`).

Only what is as long as the jump can be covered: one instruction, into the middle of which nobody
jumps, or several of which `covering.py` says that they can be done as one. x86-64.
"""

from __future__ import annotations

import struct

import msgspec
from iced_x86 import Decoder

from goprobe.arch.amd64.callstub import Assembler, run_elsewhere
from goprobe.arch.amd64.covering import put_by
from goprobe.arch.amd64.displaced import displace
from goprobe.arch.amd64.elsewhere import CodeCopy, NotDisplaceableError, SeveralCopy, put_by_at

JUMP_SIZE = 5  # jmp rel32: Intel SDM volume 2
# Bytes from a slot's start.
_NOTE = 6  # behind jmp [rip+...]
_ON = 13  # behind mov byte [rip+...], ...
_REL32 = struct.Struct("<i")


class Noting(msgspec.Struct, frozen=True):
    """`patch` covers the instruction, `code` lies at the slot, `word` is what its word begins
    with; it holds anything else once the instruction has run. `action` is as of a breakpoint."""

    patch: bytes
    code: bytes
    word: int
    action: CodeCopy


def noting(code: bytes, address: int, slot: int, word_at: int, several: int = 0) -> Noting | None:
    """For the instruction that `code` begins with, or for `several` bytes of it (0: that one
    alone); None where it cannot be noted so. A slot begins at a multiple of 16, so that one byte of
    the word tells its two values apart."""
    if slot % 16:
        raise ValueError("a slot begins in the middle")
    action = _moved(code, address, slot + _ON, several)
    if action is None:
        return None
    go = b"\xff\x25" + _REL32.pack(word_at - (slot + _NOTE))
    note = b"\xc6\x05" + _REL32.pack(word_at - (slot + _ON)) + bytes(((slot + _ON) & 0xFF,))
    return Noting(_jump(address, slot), go + note + action.code, slot + _NOTE, action)


def _moved(code: bytes, address: int, at: int, several: int) -> CodeCopy | None:
    """What is done at `at` in place of the instruction, or of `several` bytes; None where a jump
    cannot cover it, or it does not run elsewhere."""
    if len(code) < several:
        return None
    try:
        action = _several(code[:several], address, at) if several else displace(code, address, at)
    except (NotDisplaceableError, struct.error):
        return None
    if not isinstance(action, CodeCopy) or action.next - address < JUMP_SIZE:
        return None
    return action


def _jump(address: int, to: int) -> bytes:
    return b"\xe9" + _REL32.pack(to - (address + JUMP_SIZE))


def _several(code: bytes, address: int, at: int) -> SeveralCopy:
    a = Assembler(at)
    moved = list(Decoder(64, code, ip=address))
    registers = put_by(moved)
    if registers is None:
        raise NotDisplaceableError("they cannot be begun again")
    for number, word in enumerate(registers):
        a.put_by(word, put_by_at(number))
    begun = a.here
    run_elsewhere(a, moved, code, address)
    length, after = len(a.code), address + len(code)
    a("e9", after)
    return SeveralCopy(
        address=address,
        slot=at,
        code=bytes(a.code),
        length=length,
        next=after,
        begun=begun,
        put_by=registers,
    )


class ReturnStub(msgspec.Struct, frozen=True):
    """`patch` covers the instruction at which a call returns, `code` lies in the stub that notes it
    (`returnstub.py`), `action` is as of a breakpoint there."""

    patch: bytes
    code: bytes
    action: CodeCopy


def return_stub(
    code: bytes, address: int, stub: int, on: int, several: int = 0
) -> ReturnStub | None:
    """For the instruction that `code` begins with, at `address`, or for `several` bytes; None where
    that cannot be covered. `code` of the answer lies `on` bytes behind the stub's start."""
    action = _moved(code, address, stub + on, several)
    return ReturnStub(_jump(address, stub), action.code, action) if action else None
