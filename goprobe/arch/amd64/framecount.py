"""Code that counts how often an instruction runs that takes an address of its frame, and whether
that lay in the goroutine's own stack, without stopping the thread. x86-64 only.

    the instruction:  jmp slot                 lea REG, [rsp+...], as long as the jump or longer
    slot:             enough counted: go on
                      the address (in REG, which is free yet) within [g.stack.lo, g.stack.hi)?
                      lock inc [inside], or lock inc [outside]
    go on:            the instruction, and a jump back

The flags have to be free there (`covering.py`). A thread that is about to take a signal is put back
to the instruction's own address if nothing is counted yet, else behind it, with the address in REG.
"""

from __future__ import annotations

import struct

from goprobe.arch.amd64.displaced import displace
from goprobe.arch.amd64.elsewhere import CodeCopy, FrameCount, NotDisplaceableError
from goprobe.arch.amd64.ledgerstub import Routine
from goprobe.arch.amd64.once import JUMP_SIZE
from goprobe.arch.amd64.patches import imm32
from goprobe.arch.amd64.registers import WORDS

_REL32, _SIGNED8 = struct.Struct("<i"), struct.Struct("<b")
_NAMES = ("rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12",
          "r13", "r14", "r15")  # fmt: skip


def frame_count(
    code: bytes, address: int, slot: int, inside: int, offset: int, most: int
) -> tuple[bytes, FrameCount] | None:
    """What covers the instruction that `code` begins with, and what is done in its place (all of
    its code lies at `slot`); None where it is none of these. Two words begin at `inside`; what lies
    `offset` above the stack pointer is looked at, the first `most` times."""
    if code[0] not in (0x48, 0x4C) or code[1] != 0x8D or code[3:4] != b"\x24":
        return None
    short, long = code[2] & 0xC7 == 0x44, code[2] & 0xC7 == 0x84
    if not (short or long):  # lea REG, [rsp + an 8-bit or a 32-bit distance]
        return None
    number = (code[0] & 4) << 1 | code[2] >> 3 & 7
    a = _counting(number, offset, most)
    at = slot + a.labels["on"]
    try:
        copy = displace(code, address, at)
        targets = {name: slot + label for name, label in a.labels.items()}
        body = a.at(slot, {**targets, "inside": inside, "outside": inside + 8})
        patch = b"\xe9" + _REL32.pack(slot - (address + JUMP_SIZE))
    except (NotDisplaceableError, struct.error):
        return None
    if not isinstance(copy, CodeCopy) or copy.next - address < JUMP_SIZE:
        return None
    distance = (_SIGNED8 if short else _REL32).unpack_from(code, 4)[0]
    first, second = slot + a.labels["counted"], slot + a.labels["out"]
    return patch, FrameCount(
        address,
        at,
        body + copy.code,
        copy.length,
        copy.next,
        WORDS[_NAMES[number]],
        distance,
        ((slot, first), (second, at)),
    )


def _counting(number: int, offset: int, most: int) -> Routine:
    rex, low = 0x48 | (number >= 8) << 2, number & 7
    a = Routine()
    a(f"{rex:02x}8b{5 | low << 3:02x}", "inside")  # mov REG, [inside]
    a(f"{rex:02x}03{5 | low << 3:02x}", "outside")  # add REG, [outside]
    a(f"{0x48 | (number >= 8):02x}81{0xF8 | low:02x}{imm32(most)}")  # cmp REG, ...
    a("0f83", "on")  # jae
    a(f"{rex:02x}8d{0x84 | low << 3:02x}24{imm32(offset & 0xFFFFFFFF)}")  # lea REG, [rsp+...]
    a(f"{rex | 1:02x}3b{6 | low << 3:02x}")  # cmp REG, [r14]
    a("0f82", "out")  # jb
    a(f"{rex | 1:02x}3b{0x46 | low << 3:02x}08")  # cmp REG, [r14+8]
    a("0f83", "out")  # jae
    a("f048ff05", "inside")  # lock inc qword [inside]
    a.label("counted")
    a("e9", "on")
    a.label("out")
    a("f048ff05", "outside")  # lock inc qword [outside]
    a.label("on")
    return a
