"""Code that counts how often an instruction runs that uses its frame, and whether that lay in the
goroutine's own stack, without stopping the thread. x86-64 only.

    the instruction:  jmp slot                 any that is as long as the jump and runs elsewhere
    slot:             jmp [mode]               to `count` until enough are counted, then to `on`
    count:            RAX and the flags put by, below the stack pointer
                      the address within [g.stack.lo, g.stack.hi)?
                      lock inc [inside], or lock inc [outside]
                      RAX and the flags as they were
    on:               the instruction, and a jump back

Below its stack pointer Go keeps nothing, and the kernel leaves 128 bytes there as they are (x86-64
ABI, 3.2.2); there is room, as a function that is not checked for that has as much (StackSmall,
internal/abi/stack.go, Go 1.21 to 1.27). A thread that is about to take a signal is put back to the
instruction's own address, what was put by is given back to it, and what it has counted is counted
once less (`FrameCount`).
"""

from __future__ import annotations

import struct

from goprobe.arch.amd64.displaced import displace
from goprobe.arch.amd64.elsewhere import (
    FLAGS_BY,
    RAX_BY,
    CodeCopy,
    FrameCount,
    NotDisplaceableError,
)
from goprobe.arch.amd64.ledgerstub import Routine
from goprobe.arch.amd64.once import JUMP_SIZE
from goprobe.arch.amd64.patches import imm32

_REL32, _SIGNED8 = struct.Struct("<i"), struct.Struct("<b")


def frame_count(
    code: bytes, address: int, slot: int, words_at: int, offset: int, most: int
) -> tuple[bytes, int, FrameCount] | None:
    """What covers the instruction that `code` begins with, what the word `mode` begins with, and
    what is done in its place (all of its code lies at `slot`); None where it is too short for that,
    or does not run elsewhere. Three words lie at `words_at`: `inside`, `outside`, `mode`. What lies
    `offset` above the stack pointer is looked at, `most` times or (by several threads) some more.
    """
    a = _counting(offset, most)
    at = slot + a.labels["on"]
    try:
        copy = displace(code, address, at)
        labels = {name: slot + label for name, label in a.labels.items()}
        words = {"inside": words_at, "outside": words_at + 8, "mode": words_at + 16}
        body = a.at(slot, {**labels, **words})
        patch = b"\xe9" + _REL32.pack(slot - (address + JUMP_SIZE))
    except (NotDisplaceableError, struct.error):
        return None
    if not isinstance(copy, CodeCopy) or copy.next - address < JUMP_SIZE:
        return None
    action = FrameCount(
        address=address,
        slot=at,
        code=body + copy.code,
        length=copy.length,
        next=copy.next,
        offset=offset,
        rax_by=labels["rax put by"],
        flags_by=labels["flags put by"],
        counted=((labels["counted"], labels["full"]), (labels["back"], at + copy.length)),
    )
    return patch, labels["count"], action


def _counting(offset: int, most: int) -> Routine:
    a = Routine()
    a("ff25", "mode")  # jmp [mode]
    a.label("count")
    a(f"48894424{_below(RAX_BY)}")  # mov [rsp-...], rax
    a.label("rax put by")
    a("9f0f90c0")  # lahf; seto al
    a(f"48894424{_below(FLAGS_BY)}")  # mov [rsp-...], rax
    a.label("flags put by")
    a("488b05", "inside")  # mov rax, [inside]
    a("480305", "outside")  # add rax, [outside]
    a(f"483d{imm32(most)}")  # cmp rax, ...
    a("0f83", "full")  # jae
    a(f"488d8424{imm32(offset & 0xFFFFFFFF)}")  # lea rax, [rsp+...]
    a("493b06")  # cmp rax, [r14]
    a("0f82", "out")  # jb
    a("493b4608")  # cmp rax, [r14+8]
    a("0f83", "out")  # jae
    a("f048ff05", "inside")  # lock inc qword [inside]
    a.label("counted")
    a("e9", "back")
    a.label("full")
    a("488d05", "on")  # lea rax, [on]
    a("488905", "mode")  # mov [mode], rax
    a("e9", "back")
    a.label("out")
    a("f048ff05", "outside")  # lock inc qword [outside]
    a.label("back")
    a(f"488b4424{_below(FLAGS_BY)}")  # mov rax, [rsp-...]
    a("047f9e")  # add al, 127 (overflows where al is 1); sahf
    a(f"488b4424{_below(RAX_BY)}")  # mov rax, [rsp-...]
    a.label("on")
    return a


def _below(distance: int) -> str:
    return _SIGNED8.pack(-distance).hex()
